import { describe, expect, it } from 'vitest';
import type { Fault } from '../twins/faults.ts';
import { giveWith, saysUnknown, type Scenario, serverGone } from './swap-faults.ts';

const scenarios: readonly (readonly [string, Scenario])[] = [
  ['a restore', { command: 'restore' }],
  ['a restore with --online --stop-app', { command: 'restore', online: true, stopApp: true }],
  ['a restore with --stop-app beside an app that rests already (pitfall 42)', { command: 'restore', stopApp: true, resting: true }],
  ['a restore after another one', { command: 'restore', previous: 'kept' }],
  ['a restore after another one whose previous database has had its time', { command: 'restore', previous: 'expired' }],
  ['a restore where the live database is gone', { command: 'restore', liveGone: true }],
  ['a restore after another one, where the live database is gone', { command: 'restore', liveGone: true, previous: 'kept' }],
  ['a restore without the maintenance plugin', { command: 'restore', noMaintenancePlugin: true }],
  ['an undo', { command: 'undo', resting: true }],
  ['an undo where the live database is gone', { command: 'undo', liveGone: true }],
];

const ways: readonly (readonly [string, Omit<Fault, 'index'>])[] = [
  ['fails before it does anything', { effect: 'none', scope: 'once' }],
  ['fails after it has done all', { effect: 'whole', scope: 'once' }],
  ['fails halfway', { effect: 'torn', scope: 'once' }],
  ['fails, and the connection to Postgres with it', { effect: 'none', scope: 'server' }],
  ['is done, but the connection to Postgres is lost before the answer', { effect: 'whole', scope: 'server' }],
  ['fails halfway, and the connection to Postgres with it', { effect: 'torn', scope: 'server' }],
  ['is where the process is killed, before it did anything (pitfall 31)', { effect: 'none', scope: 'process' }],
  ['is where the process is killed, after it has done all (pitfall 31)', { effect: 'whole', scope: 'process' }],
  ['is where the process is killed, halfway (pitfall 31)', { effect: 'torn', scope: 'process' }],
];

describe.each(scenarios)('%s', (_, scenario) => {
  it('goes through when nothing fails, and leaves all in order', async () => {
    const { flaws, done, calls } = await giveWith(scenario, []);
    expect(flaws).toEqual([]);
    expect(done).toBe(true);
    // Should the list of what is made to fail become short, the tests below have lost their point.
    expect(calls).toEqual(
      expect.arrayContaining([
        'journals.write swap',
        scenario.liveGone ? 'server.rename' : 'server.swap',
        'journals.write finish',
        'journals.clear',
      ]),
    );
    expect(calls.length).toBeGreaterThan(19);
  });

  it.each(ways)('leaves the live database whole and, after the next command, all in order when any one call %s', async (_way, how) => {
    const { calls } = await giveWith(scenario, []);
    const all: string[] = [];
    for (const [index, call] of calls.entries()) {
      // Halfway is a state of its own only where a call does more than one thing.
      if (how.effect === 'torn' && !['server.restore', 'server.swap'].includes(call)) continue;
      const { flaws, struck } = await giveWith(scenario, [[{ index, ...how }]]);
      if (struck === 0) all.push(`call ${index}, ${call}, was never made`);
      all.push(...flaws.map((flaw) => `call ${index}, ${call}: ${flaw}`));
    }
    expect(all).toEqual([]);
  });

  // The server has swapped, and the client has not heard of it.
  describe.each([
    ['', Infinity],
    [' and Ctrl-C comes meanwhile,', 0],
  ])('when the answer to the swap is lost,%s', (_when, interrupt) => {
    const swap = scenario.liveGone ? 'server.rename' : 'server.swap';

    it.each([
      ['once', 'once'],
      ['once and the connection with it', 'server'],
    ] as const)('%s, it counts as done whatever else fails, wherever the server says so', async (_how, scope) => {
      const at = (await giveWith(scenario, [])).calls.indexOf(swap);
      const lost: Fault = { index: at, effect: 'whole', scope };
      const alone = await giveWith(scenario, [[lost]], at + interrupt);
      expect(alone).toMatchObject({ flaws: [], done: true, error: undefined });
      for (let index = at + 1; index < alone.calls.length; index += 1) {
        for (const effect of ['none', 'whole'] as const) {
          for (const next of ['once', 'server'] as const) {
            const second = { index, effect, scope: next };
            const { flaws, done, error, calls } = await giveWith(scenario, [[lost, second]], at + interrupt);
            const where = `${alone.calls[index]} ${effect} ${next}`;
            expect({ where, flaws }).toEqual({ where, flaws: [] });
            // With the first connection gone there is but one other to ask.
            const asked = calls.slice(at + 1, index + 1);
            const mute = scope === 'server' && !asked.slice(0, -1).includes('server.databases');
            expect({ where, done, unknown: saysUnknown(error) }).toEqual({ where, done: !mute, unknown: mute });
          }
        }
      }
    });

    it.each(['none', 'whole', 'torn'] as const)(
      '%s of it was done and the server is gone, it is said not to be known, and how to find out',
      async (effect) => {
        const at = (await giveWith(scenario, [])).calls.indexOf(swap);
        const gone = await serverGone(scenario, [{ index: at, effect, scope: 'server' }], at);
        const { flaws, done, error } = await giveWith(scenario, [gone], at + interrupt);
        expect({ flaws, done, unknown: saysUnknown(error) }).toEqual({ flaws: [], done: false, unknown: true });
      },
    );
  });
});
