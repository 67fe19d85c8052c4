import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogEntry } from '../../../src/ports.ts';
import { give } from '../../tools/command.ts';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';
import { shop } from '../../twins/world.ts';

let shell: Shell;
beforeEach(() => (shell = new Shell()));
afterEach(forgetDokkuOptions);

/** Schedules shop. @returns the id. */
async function schedule(options = ''): Promise<string> {
  return (await shell.dokku(`pgbackup:schedule shop 0_*/6_*_*_* --quiet${options}`)).out.trim();
}

function lastLogged(): LogEntry | undefined {
  return shell.world.disk.log.at(-1);
}

describe('a scheduled run', () => {
  it('takes a backup with the labels and to the storages of its schedule, and the log says that it was scheduled', async () => {
    const id = await schedule(' --label kind=six-hourly --storage local');
    const said = await shell.dokku(`pgbackup:run shop --schedule ${id}`);
    expect(said).toMatchObject({ err: '', exit: 0 });
    expect(said.out).toContain(`-----> Schedule ${id} of shop ("0 */6 * * *") is due: 2026-11-20 03:15:`);
    const [backup] = JSON.parse((await shell.dokku('pgbackup:list shop --format json')).out);
    expect(backup).toMatchObject({ labels: { kind: 'six-hourly' }, service: { name: 'shop' } });
    expect(lastLogged()).toMatchObject({
      operation: 'backup',
      outcome: 'ok',
      id: backup.id,
      message: expect.stringMatching(`^scheduled \\(${id}\\): \\d+ bytes`),
    });
  });

  it('gives way to others by the shares that are set', async () => {
    const id = await schedule();
    await shell.dokku(`pgbackup:run shop --schedule ${id}`);
    await shell.dokku('pgbackup:set shop scheduled-cpu-shares 100');
    await shell.dokku('pgbackup:set --global scheduled-blkio-weight 50');
    await shell.dokku(`pgbackup:run shop --schedule ${id}`);
    await shell.dokku('pgbackup:run shop');
    expect(shell.world.postgres.shares).toEqual([
      { cpu: 256, io: undefined },
      { cpu: 100, io: 50 },
    ]);
  });

  it('begins later by a part of the jitter, the same each time, another for each schedule', async () => {
    await shell.dokku('pgbackup:set shop schedule-jitter 6h');
    const pauses: string[] = [];
    for (const id of [await schedule(), await schedule(' --label a=b')])
      for (const _ of [1, 2]) {
        expect((await shell.dokku(`pgbackup:run shop --schedule ${id}`)).exit).toBe(0);
        pauses.push(...shell.calls.filter((call) => call.startsWith('pause ')));
      }
    expect(pauses[0]).toBe(pauses[1]);
    expect(pauses[2]).toBe(pauses[3]);
    expect(pauses[0]).not.toBe(pauses[2]);
    for (const pause of pauses) expect(Number(pause.slice(6))).toBeLessThan(6 * 3_600_000);
  });

  it('waits for another operation on the service, then begins, and its time is that of the beginning (pitfall 8)', async () => {
    const id = await schedule();
    const { ports } = shell.world.boot();
    const lock = await ports.locks.acquire(shop, 'restore');
    shell.world.schedules.meanwhile = async () => {
      shell.world.advance(1800);
      await lock[Symbol.asyncDispose]();
    };
    const said = await give(['pgbackup:run', 'shop', '--schedule', id], () => ports);
    expect(said).toMatchObject({
      exit: 0,
      out: expect.stringContaining('Service shop is busy: restore. It waits, until 2026-11-20 04:15:'),
    });
    expect(lastLogged()?.time).toMatch(/^2026-11-20T03:45/);
  });

  it('that waits in vain ends with 6, says why, and is in the log', async () => {
    const id = await schedule();
    const { ports } = shell.world.boot();
    await using _lock = await ports.locks.acquire(shop, 'restore');
    const said = await give(['pgbackup:run', 'shop', '--schedule', id], () => ports);
    expect(said.exit).toBe(6);
    expect(said.err).toContain(`The scheduled backup of shop (schedule ${id}) did not get its turn: Service shop is busy: restore`);
    expect(said.err).toContain('schedule-wait 3h');
    expect(lastLogged()).toMatchObject({
      operation: 'backup',
      outcome: 'failed',
      id: null,
      message: expect.stringContaining(`scheduled (${id}): `),
    });
  });

  it('waits no longer than until it is due again', async () => {
    await shell.dokku('pgbackup:set shop schedule-wait 7d');
    const id = await schedule();
    const { ports } = shell.world.boot();
    await using _lock = await ports.locks.acquire(shop, 'restore');
    expect((await give(['pgbackup:run', 'shop', '--schedule', id], () => ports)).out).toContain(
      'until 2026-11-20 06:00:00 UTC at the longest',
    );
  });

  it('waits for a place where as many run as may run at a time', async () => {
    await shell.dokku('pgbackup:set --global max-concurrent 1');
    expect((await shell.dokku('pgbackup:set shop max-concurrent 3')).exit).toBe(2);
    const id = await schedule();
    shell.world.schedules.taken = 1;
    expect(await shell.dokku(`pgbackup:run shop --schedule ${id}`)).toMatchObject({
      exit: 6,
      err: expect.stringContaining('1 scheduled runs are under way'),
    });
    shell.world.schedules.taken = 0;
    expect((await shell.dokku(`pgbackup:run shop --schedule ${id}`)).exit).toBe(0);
    expect(shell.world.schedules.taken).toBe(0);
    // Nobody who types it waits for a place.
    shell.world.schedules.taken = 1;
    expect((await shell.dokku('pgbackup:run shop')).exit).toBe(0);
  });

  it.each([
    ['pgbackup:run shop --schedule zzzz', 4, 'Service shop has no schedule zzzz'],
    ['pgbackup:run shop --schedule zzzz --label a=b', 2, '--label does not go with --schedule'],
    ['pgbackup:run shop --schedule zzzz --note x', 2, '--note does not go with --schedule'],
  ])('"%s" ends with %d', async (line, exit, message) => {
    expect(await shell.dokku(line)).toMatchObject({ exit, err: expect.stringContaining(message) });
  });

  it('of a service that does not exist any more says so, with what to type (pitfall 9)', async () => {
    const id = await schedule();
    shell.world.dokku.services.delete(shop);
    expect(await shell.dokku(`pgbackup:run shop --schedule ${id}`)).toMatchObject({
      exit: 4,
      err: expect.stringContaining('pgbackup:unschedule shop --all'),
    });
    expect(lastLogged()).toMatchObject({ outcome: 'failed', service: 'shop' });
  });

  it('of a service that is stopped fails, and is in the log once', async () => {
    const id = await schedule();
    const service = shell.world.dokku.services.get(shop);
    if (service) shell.world.dokku.services.set(shop, { ...service, status: 'exited' });
    expect((await shell.dokku(`pgbackup:run shop --schedule ${id}`)).exit).toBe(5);
    expect(shell.world.disk.log).toMatchObject([
      { outcome: 'failed', message: expect.stringContaining(`scheduled (${id}): Service shop is not running`) },
    ]);
  });

  it('that is interrupted while it waits says that it had not begun', async () => {
    const id = await schedule();
    const { ports, stop } = shell.world.boot();
    await using _lock = await ports.locks.acquire(shop, 'restore');
    shell.world.schedules.meanwhile = async () => stop.abort(new Error('SIGTERM'));
    expect(await give(['pgbackup:run', 'shop', '--schedule', id], () => ports)).toMatchObject({
      exit: 130,
      err: expect.stringContaining('had not begun'),
    });
  });
});
