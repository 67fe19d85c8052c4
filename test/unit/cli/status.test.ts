import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBackup } from '../../../src/app/backup.ts';
import { announceOverdue } from '../../../src/app/overdue-notices.ts';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import type { ScheduleEntry } from '../../../src/domain/schedule-entry.ts';
import { formatScheduleFile } from '../../../src/domain/schedule-entry.ts';
import { parseStorageName } from '../../../src/domain/storage-name.ts';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';
import { shop } from '../../twins/world.ts';

let shell: Shell;
beforeEach(() => (shell = new Shell()));
afterEach(forgetDokkuOptions);

/** Every hour, by a host in UTC whose clock stands at 03:15. */
const hourly: ScheduleEntry = {
  id: 'h0ur',
  service: shop,
  namedAs: 'shop',
  cron: '0 * * * *',
  storages: null,
  labels: {},
  createdAt: '2026-11-20T03:10:00.000Z',
};

function schedule(...entries: ScheduleEntry[]): void {
  shell.world.schedules.files.set(shop, formatScheduleFile(entries));
}

function keep(key: string, value: string, scope: string = shop): void {
  shell.world.disk.settings.set(scope, new Map([...(shell.world.disk.settings.get(scope) ?? []), [key, value]]));
}

interface Plain {
  readonly service: string;
  readonly well: boolean;
  readonly problems: readonly string[];
  readonly [key: string]: unknown;
}

async function statusOf(line = 'shop'): Promise<Plain & { exit: number }> {
  const said = await shell.dokku(`pgbackup:status ${line} --format json`);
  return { ...JSON.parse(said.out), exit: said.exit };
}

const hours = (count: number): void => shell.world.advance(count * 3600);

describe('pgbackup:status', () => {
  it('is well after a backup, and shows what there is', async () => {
    const id = await shell.run();
    schedule(hourly);
    const status = await statusOf('web');
    expect(status).toMatchObject({
      exit: 0,
      service: 'shop',
      well: true,
      problems: [],
      backups: 1,
      newest: { id, ageSeconds: expect.any(Number), storedBytes: expect.any(Number), storages: ['local'] },
      schedules: [{ id: 'h0ur', cron: '0 * * * *', state: 'ok', missedSince: null, nextDue: '2026-11-20T04:00:00.000Z' }],
      lastFailure: null,
      behind: [],
      unfinished: null,
      previous: null,
    });
    const said = await shell.dokku('pgbackup:status');
    expect(said).toMatchObject({ exit: 0, err: '' });
    expect(said.out).toMatch(/=====> shop: all is well\n +Newest: +shop-\S+, [0-9.]+ k?B, 0 min ago\n/);
  });

  it('exits 3 once a schedule lacks its backup and the grace is over, until there is one (pitfall 45)', async () => {
    await shell.run();
    schedule(hourly);
    hours(1);
    expect(await statusOf()).toMatchObject({ exit: 0, schedules: [{ state: 'late' }] });
    hours(1);
    const late = await statusOf();
    expect(late).toMatchObject({ exit: 3, well: false, schedules: [{ state: 'overdue', missedSince: '2026-11-20T04:00:00.000Z' }] });
    expect(late.problems[0]).toMatch(
      /^Schedule h0ur \("0 \* \* \* \*"\) lacks a backup since 2026-11-20 04:00:00 UTC: the newest is of 2026-11-20 03:15/,
    );
    expect((await shell.dokku('pgbackup:status')).err).toContain('shop: Schedule h0ur');
    await shell.run();
    expect(await statusOf()).toMatchObject({ exit: 0, well: true });
  });

  it('counts no backup of another host, nor one of part of the database', async () => {
    schedule(hourly);
    shell.world.hostId = 'host-b';
    await shell.run();
    shell.world.hostId = 'host-a';
    await shell.run(' --schema public');
    hours(3);
    expect(await statusOf()).toMatchObject({
      exit: 3,
      newest: null,
      schedules: [{ state: 'never' }],
      problems: [expect.stringContaining('there is none at all')],
    });
  });

  it('is not well when the last backup failed, and tells why', async () => {
    await shell.run();
    await shell.dokku('pgbackup:run shop --schema nope');
    expect(await statusOf()).toMatchObject({
      exit: 3,
      lastFailure: { message: expect.stringContaining('no schema "nope"') },
      problems: [expect.stringMatching(/^The last backup, 2026-11-20 .* UTC, failed: /)],
    });
    await shell.run();
    expect(await statusOf()).toMatchObject({ exit: 0, lastFailure: { message: expect.stringContaining('nope') } });
  });

  it('is not well when the newest backup is not in all of its storages', async () => {
    const offsite = parseStorageName('offsite');
    shell.world.others.set(offsite, Object.assign(new MemoryStorage(), { name: 'offsite' }));
    keep('storages', 'local,offsite');
    const { ports } = shell.world.boot();
    const open = ports.storages.open.bind(ports.storages);
    Object.assign(ports.storages, {
      open: (...given: Parameters<typeof open>) => {
        const storage = open(...given);
        if (given[0] === offsite) Object.assign(storage, { put: async () => Promise.reject(new Error('no such bucket')) });
        return storage;
      },
    });
    await createBackup(ports, { target: 'shop', labels: {}, note: null, schemas: [], toolVersion: '0.1.0' });
    expect(await statusOf()).toMatchObject({
      exit: 3,
      behind: ['offsite'],
      problems: ['The newest backup is not in offsite: no such bucket'],
    });
  });

  it('tells a cut off operation from one that is under way', async () => {
    await shell.run();
    const { ports } = shell.world.boot();
    await ports.journals.write(shop, {
      kind: 'backup',
      operation: 'shop-20261120T031500Z-zzzz',
      backupDir: null,
      storages: [],
      prefix: 'host-a/shop/x/',
    });
    expect(await statusOf()).toMatchObject({
      exit: 3,
      unfinished: { id: 'shop-20261120T031500Z-zzzz', running: false },
      problems: [expect.stringContaining('dokku pgbackup:doctor shop')],
    });
  });

  it('is not well when a manifest cannot be read', async () => {
    const id = await shell.run();
    await shell.overwrite(`host-a/shop/${id}/manifest.json`, Buffer.from('no JSON'));
    expect(await statusOf()).toMatchObject({
      exit: 3,
      problems: [expect.stringContaining('is not JSON'), 'There is no backup, and no schedule'],
    });
  });

  it('without a target looks at all that have schedules or backups, and says so when none has', async () => {
    expect(await shell.dokku('pgbackup:status')).toMatchObject({ exit: 0, out: expect.stringContaining('No service of this host') });
    schedule(hourly);
    hours(5);
    const said = await shell.dokku('pgbackup:status --format json');
    expect(said.exit).toBe(3);
    expect(JSON.parse(said.out)).toMatchObject([{ service: 'shop', well: false }]);
    expect((await shell.dokku('pgbackup:status nope')).exit).toBe(4);
    expect((await shell.dokku('pgbackup:status shop --notify')).exit).toBe(2);
  });
});

describe('what is overdue', () => {
  beforeEach(async () => {
    await shell.run();
    schedule(hourly);
    keep('webhook-url', 'https://w.example/hook');
    shell.world.delivered.length = 0;
  });

  const events = (): unknown[] => shell.world.delivered.map(({ body }) => JSON.parse(body?.text ?? '{}'));

  it('is told once until it has recovered', async () => {
    await shell.dokku('pgbackup:status --notify');
    expect(events()).toEqual([]);
    hours(3);
    await shell.dokku('pgbackup:status');
    expect(events()).toEqual([]);
    await shell.dokku('pgbackup:status --notify');
    await shell.dokku('pgbackup:status --notify');
    expect(events()).toMatchObject([
      { event: 'overdue', outcome: 'overdue', service: 'shop', schedule: 'h0ur', id: null, startedAt: '2026-11-20T04:00:00.000Z' },
    ]);
    await shell.run();
    await shell.dokku('pgbackup:status --notify');
    hours(3);
    await shell.dokku('pgbackup:status --notify');
    expect(events().filter((event) => (event as { event: string }).event === 'overdue')).toHaveLength(2);
  });

  it('is told again when nobody has heard', async () => {
    hours(3);
    shell.world.endpointsFail = true;
    const said = await shell.dokku('pgbackup:status --notify');
    expect(said.err).toContain('Not notified: webhook https://w.example/…');
    shell.world.endpointsFail = false;
    await shell.dokku('pgbackup:status --notify');
    expect(events()).toHaveLength(2);
    expect(shell.world.monitoring.told).toEqual(['shop/h0ur']);
  });

  it('is told by the scheduled run of any other, which looks at no storage for what the log shows (pitfall 45)', async () => {
    const { ports, faults } = shell.world.boot();
    await announceOverdue(ports);
    expect(faults.calls.filter((call) => call.startsWith('storage'))).toEqual([]);
    hours(3);
    await announceOverdue(shell.world.boot().ports);
    await announceOverdue(shell.world.boot().ports);
    expect(events()).toMatchObject([{ event: 'overdue', schedule: 'h0ur' }]);
  });

  it('a log that was lost is no missing backup', async () => {
    shell.world.disk.log.length = 0;
    await announceOverdue(shell.world.boot().ports);
    expect(events()).toEqual([]);
  });
});

describe('the textfile', () => {
  beforeEach(() => keep('textfile-dir', '/textfile', '--global'));
  const text = (): string => shell.world.monitoring.published.get('/textfile') ?? '';

  it('is written after each operation, and by status', async () => {
    schedule(hourly);
    await shell.run();
    expect(text()).toContain('pgbackup_backups{service="shop"} 1\n');
    expect(text()).toMatch(
      /# TYPE pgbackup_last_success_timestamp_seconds gauge\npgbackup_last_success_timestamp_seconds\{service="shop"\} 1795144500\.\d+\n/,
    );
    expect(text()).toContain('pgbackup_overdue{service="shop",schedule="h0ur"} 0\n');
    expect(text()).toContain(
      `pgbackup_overdue_after_timestamp_seconds{service="shop",schedule="h0ur"} ${Date.parse('2026-11-20T05:00:00Z') / 1000}\n`,
    );
    expect(text()).not.toContain('pgbackup_last_failure');
    await shell.dokku('pgbackup:run shop --schema nope');
    expect(text()).toMatch(/pgbackup_last_failure_timestamp_seconds\{service="shop"\} 17951445\d\d/);
    hours(3);
    await shell.dokku('pgbackup:status');
    expect(text()).toContain('pgbackup_overdue{service="shop",schedule="h0ur"} 1\n');
  });

  it('is no more than a warning when it cannot be written', async () => {
    const { ports, transcript } = shell.world.boot();
    Object.assign(ports.monitoring, { publish: async () => Promise.reject(new Error('EACCES: /textfile')) });
    await createBackup(ports, { target: 'shop', labels: {}, note: null, schemas: [], toolVersion: '0.1.0' });
    expect(transcript.warnings).toEqual(['The textfile for Prometheus was not written: EACCES: /textfile']);
  });

  it('forgets a service that has neither backups nor schedules any more', async () => {
    const id = await shell.run();
    await shell.dokku(`pgbackup:delete shop ${id} --force`);
    await shell.dokku('pgbackup:status');
    expect(text()).not.toContain('shop');
  });
});
