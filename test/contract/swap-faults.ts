import { noKeys } from '../../src/app/keys.ts';
import { createBackup } from '../../src/app/backup.ts';
import { repair } from '../../src/app/repair.ts';
import { restore, type RestoreRequest } from '../../src/app/restore.ts';
import { undo } from '../../src/app/undo.ts';
import { exitCodeOf } from '../../src/cli/exit-code.ts';
import { messageOf, PgbackupError } from '../../src/domain/errors.ts';
import type { Ports } from '../../src/ports.ts';
import { contentOf } from '../twins/content.ts';
import { type Fault, Faults } from '../twins/faults.ts';
import { appsOf, type Before, liveFlaw, settledFlaws } from '../twins/invariants.ts';
import { app, World } from '../twins/world.ts';

export interface Scenario {
  readonly command: 'restore' | 'undo';
  readonly online?: boolean;
  readonly stopApp?: boolean;
  /** The live database is gone before the command. */
  readonly liveGone?: boolean;
  /** A restore was done before, so that there is a previous database already. */
  readonly previous?: 'kept' | 'expired';
  /** The second app was in maintenance and stopped before. */
  readonly resting?: boolean;
  readonly noMaintenancePlugin?: boolean;
}

export interface Prepared {
  readonly world: World;
  readonly before: Before;
  readonly run: (ports: Ports) => Promise<unknown>;
}

const request: RestoreRequest = {
  target: 'shop',
  source: { kind: 'latest' },
  into: undefined,
  online: false,
  stopApp: false,
  jobs: undefined,
  checks: ['select count(*) from users'],
  sha256: undefined,
  keys: noKeys,
  dryRun: false,
  confirm: 'shop',
  force: false,
};

/** A world in which the command of the scenario is about to be given. */
export async function prepare(scenario: Scenario): Promise<Prepared> {
  const world = new World();
  const live = world.databases.get('shop');
  if (!live) throw new Error('a world begins with its live database');
  const take = (title: string, users: number): Promise<unknown> => {
    live.content = contentOf(title, users);
    live.properties.comment = `comment of ${title}`;
    return createBackup(world.boot().ports, { target: 'shop', labels: {}, note: null, schemas: [], toolVersion: '0.1.0' });
  };
  if (scenario.previous || scenario.command === 'undo') {
    await take('older', 100);
    // Written after the backup, and set aside by the restore.
    live.content = contentOf('oldest', 90);
    await restore(world.boot().ports, request);
    if (scenario.previous === 'expired') world.advance(25 * 3600);
  }
  const now = world.databases.get('shop');
  if (!now) throw new Error('the first restore has lost the live database');
  if (scenario.command === 'restore') {
    now.content = contentOf('new', 562);
    await createBackup(world.boot().ports, { target: 'shop', labels: {}, note: null, schemas: [], toolVersion: '0.1.0' });
    now.content = contentOf('old', 7);
  }
  if (scenario.liveGone) world.databases.delete('shop');
  const worker = world.dokku.apps.get(app('worker'));
  if (worker && scenario.resting) Object.assign(worker, { maintenance: 'on', running: false });
  for (const state of world.dokku.apps.values()) if (scenario.noMaintenancePlugin) state.maintenance = 'unavailable';
  const apps = appsOf(world);
  const kept = scenario.previous === 'expired' ? undefined : 'oldest';
  if (scenario.command === 'undo') {
    const before: Before = {
      live: scenario.liveGone ? undefined : 'older',
      wanted: 'oldest',
      previousOf: { older: 'oldest', none: 'oldest', oldest: scenario.liveGone ? undefined : 'older' },
      apps,
    };
    return { world, before, run: (ports) => undo(ports, { target: 'shop', confirm: 'shop', force: false }) };
  }
  const earlier = scenario.previous ? kept : undefined;
  const before: Before = {
    live: scenario.liveGone ? undefined : 'old',
    wanted: 'new',
    previousOf: { old: earlier, none: earlier, new: scenario.liveGone ? earlier : 'old' },
    apps,
  };
  return {
    world,
    before,
    run: (ports) => restore(ports, { ...request, online: scenario.online ?? false, stopApp: scenario.stopApp ?? false }),
  };
}

/** An expired previous database may or may not have been dropped by then: it is nobody's loss. */
function allowExpired(scenario: Scenario, flaws: readonly string[], command: 'done' | 'recovered'): string[] {
  if (scenario.previous !== 'expired' || command === 'done') return [...flaws];
  return flaws.filter((flaw) => !/previous database is oldest and not undefined/.test(flaw));
}

export interface Outcome {
  readonly flaws: readonly string[];
  readonly calls: readonly string[];
  /** Faults that came to pass while the command ran. */
  readonly struck: number;
  readonly done: boolean;
  /** What the command threw. */
  readonly error: unknown;
}

/**
 * Gives the command with faults, one process after the other, and then what any next command begins with.
 * @param interruptAt number of the call of the command during which Ctrl-C comes.
 */
export async function giveWith(scenario: Scenario, faults: readonly (readonly Fault[])[], interruptAt = Infinity): Promise<Outcome> {
  const { world, before, run } = await prepare(scenario);
  const flaws: string[] = [];
  const watch = (call: string): void => {
    const flaw = liveFlaw(world, before);
    if (flaw !== undefined) flaws.push(`after ${call} ${flaw}`);
  };
  const [first, ...later] = faults;
  let abandoned = false;
  const process = world.boot(
    new Faults(first, (call) => {
      watch(call);
      if (process.faults.calls.length <= interruptAt || process.ports.signal.aborted) return;
      process.stop.abort(new PgbackupError('interrupted', 'Interrupted'));
      abandoned = call === 'postgres.open';
    }),
  );
  let error: unknown;
  const done = await run(process.ports).then(
    () => !process.faults.dead,
    (thrown: unknown) => {
      error = thrown;
      return false;
    },
  );
  // Nobody waits for a sidecar that starts under Ctrl-C: it ends with the process (docs/decisions/0004-sidecar.md).
  if (abandoned) world.postgres.sidecars.clear();
  const title = world.databases.get('shop')?.content.title;
  if (done && title !== before.wanted) flaws.push(`it is said to be done, and ${title} is live`);
  if (!process.faults.dead && world.postgres.sidecars.size > 0) flaws.push('it has left a sidecar though it could have ended it');
  const told = [...process.transcript.lines];
  if (!process.faults.dead) {
    // What can be put back at once is; what cannot is told.
    const left = world.disk.journals.size > 0;
    if (!done) {
      if (title === before.wanted && !saysUnknown(error)) flaws.push(`it is done, and is said to have failed: ${messageOf(error)}`);
      if (left && /taken back/.test(messageOf(error))) flaws.push('it is said to be taken back, and something is left to do');
      told.push(messageOf(error));
    }
    if (left && !told.some((line) => /next command on shop/.test(line))) flaws.push('it has left its journal without a word');
    if (!left)
      flaws.push(
        ...allowExpired(scenario, settledFlaws(world, before), 'recovered')
          .filter((flaw) => !isLeftToThePerson(flaw, told))
          .map((flaw) => `at once ${flaw}`),
      );
  }
  for (const fault of later) {
    const again = world.boot(new Faults(fault, watch));
    await repair(again.ports, { target: 'shop' }).catch(() => {});
    told.push(...again.transcript.lines);
  }
  const last = world.boot(new Faults(undefined, watch));
  await repair(last.ports, { target: 'shop' });
  flaws.push(
    ...allowExpired(scenario, settledFlaws(world, before), done ? 'done' : 'recovered').filter((flaw) => !isLeftToThePerson(flaw, told)),
  );
  return { flaws, calls: process.faults.calls, struck: process.faults.struck, done, error };
}

/** Says that nobody knows whether it was done, that no harm is done, and how to find out; whatever signal came meanwhile. */
export function saysUnknown(error: unknown): boolean {
  return (
    error instanceof PgbackupError &&
    error.message.startsWith('It is not known whether') &&
    error.message.includes('whole either way') &&
    error.hint?.includes('dokku pgbackup:doctor shop') === true &&
    exitCodeOf(error, 130) === 9
  );
}

/** Faults of all calls to Postgres that are made after one that failed with the faults so far: the server is gone. */
export async function serverGone(scenario: Scenario, faults: readonly Fault[], from: number): Promise<readonly Fault[]> {
  const { calls } = await giveWith(scenario, [faults]);
  const index = calls.findIndex((call, i) => i > from && /^(server|postgres)\./.test(call) && !faults.some((fault) => fault.index === i));
  return index < 0 ? faults : serverGone(scenario, [...faults, { index, effect: 'none', scope: 'server' }], from);
}

/** What Dokku refused to do is said, with the command to type; it is then no flaw of ours. */
function isLeftToThePerson(flaw: string, told: readonly string[]): boolean {
  const [, maintained, stopped] = /^maintenance of (\w+) is on, and was off$|^(\w+) is stopped$/.exec(flaw) ?? [];
  const command = maintained === undefined ? `ps:start ${stopped}` : `maintenance:disable ${maintained}`;
  return (maintained ?? stopped) !== undefined && told.some((line) => line.includes('is left to you') && line.includes(command));
}
