import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCrontab } from '../../../src/adapters/dokku/cron.ts';
import { FileSchedules } from '../../../src/adapters/schedules-store.ts';
import { parseServiceName } from '../../../src/domain/names.ts';
import type { ScheduleEntry } from '../../../src/domain/schedule-entry.ts';
import { shop } from '../../twins/world.ts';

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgbackup-schedules-'));
  folder = join(root, 'schedules');
});
afterEach(() => rmSync(root, { recursive: true }));

const entry: ScheduleEntry = {
  id: 'k3f9',
  service: shop,
  namedAs: 'web',
  cron: '0 */6 * * *',
  storages: null,
  labels: { target: 'web', kind: 'six-hourly' },
  createdAt: '2026-11-20T03:15:00.000Z',
};
const reports = parseServiceName('reports');
const other: ScheduleEntry = { ...entry, id: 'abcd', service: reports, cron: '@daily' };
const store = (): FileSchedules => new FileSchedules(folder);
const crontab = (): string => readFileSync(join(folder, 'crontab'), 'utf8');

describe('the schedules on disk', () => {
  it('are a file a service, and beside them the lines that cron-entries prints', async () => {
    expect(await store().list()).toEqual({ entries: [], problems: [] });
    await store().write(shop, [entry, { ...entry, id: 'zzzz', cron: '@weekly' }]);
    await store().write(reports, [other]);
    expect((await store().list()).entries).toEqual([other, entry, { ...entry, id: 'zzzz', cron: '@weekly' }]);
    expect(crontab()).toBe(
      '@daily;dokku pgbackup:run reports --schedule abcd\n' +
        '0 */6 * * *;dokku pgbackup:run shop --schedule k3f9\n@weekly;dokku pgbackup:run shop --schedule zzzz\n',
    );
    await store().write(shop, []);
    expect(readdirSync(folder).toSorted()).toEqual(['crontab', 'reports.json']);
    expect(crontab()).toBe('@daily;dokku pgbackup:run reports --schedule abcd\n');
    await store().write(reports, []);
    // Empty, and not a blank line.
    expect(crontab()).toBe('');
  });

  it('hold the name that was given where the trigger of a rename looks for it, and no label can stand', async () => {
    await store().write(shop, [entry]);
    expect(readFileSync(join(folder, 'shop.json'), 'utf8')).toContain('"namedAs":"web"');
  });

  it('of a service whose file is damaged are told as a problem, and what was in the crontab of it stays', async () => {
    await store().write(shop, [entry]);
    await store().write(reports, [other]);
    const files = ['', '{', '[]', '{"version":2,"schedules":[]}'];
    const broken = [
      { id: 'K3F9' },
      { cron: '61 * * * *' },
      { cron: '0  0 * * *' },
      { cron: '@daily;reboot' },
      { service: 'other' },
      { storages: ['A B'] },
      { createdAt: 'x' },
    ];
    files.push(...broken.map((change) => JSON.stringify({ version: 1, schedules: [{ ...entry, ...change }] })));
    for (const text of files) {
      writeFileSync(join(folder, 'shop.json'), text);
      const { entries, problems } = await store().list();
      expect(entries).toEqual([other]);
      expect(problems).toMatchObject([{ service: 'shop', error: { code: 'damaged', message: expect.stringContaining('shop.json') } }]);
    }
    await store().write(reports, [{ ...other, cron: '@monthly' }]);
    expect(crontab()).toBe('@monthly;dokku pgbackup:run reports --schedule abcd\n0 */6 * * *;dokku pgbackup:run shop --schedule k3f9\n');
  });

  it('of a service whose file is not to be read at all do not hide the others', async () => {
    await store().write(reports, [other]);
    mkdirSync(join(folder, 'shop.json'));
    expect(await store().list()).toMatchObject({ entries: [other], problems: [{ service: 'shop', error: { code: 'storage' } }] });
  });

  it('are for dokku alone', async () => {
    await store().write(shop, [entry]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  });

  it('are changed by one at a time', async () => {
    const first = await store().lock();
    let second: AsyncDisposable | undefined;
    const waiting = store()
      .lock()
      .then((lock) => (second = lock));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(second).toBeUndefined();
    await first[Symbol.asyncDispose]();
    await waiting;
    expect(second).toBeDefined();
    await second?.[Symbol.asyncDispose]();
  });

  it('cannot be written where the disk is not ours, and that is said', async () => {
    writeFileSync(folder, '');
    await expect(store().write(shop, [entry])).rejects.toMatchObject({ code: 'storage' });
    chmodSync(folder, 0o600);
  });
});

describe('a crontab as Dokku writes it', () => {
  it('is read back to schedules and commands', () => {
    const text = [
      'PATH=/usr/local/bin:/usr/bin:/bin',
      'SHELL=/bin/bash',
      '',
      '# a comment',
      '*/5 * * * * dokku pgbackup:run web &>> /var/log/dokku/pgbackup.log',
      '@daily dokku probe:run',
      '0 0 1-5/2,*/7 2,3 1-5 dokku pgbackup:run shop --schedule k3f9',
      '0 3 * * * /bin/sh -c "a b" >> /tmp/x',
      '',
    ].join('\n');
    expect(parseCrontab(text)).toEqual([
      { schedule: '*/5 * * * *', command: 'dokku pgbackup:run web' },
      { schedule: '@daily', command: 'dokku probe:run' },
      { schedule: '0 0 1-5/2,*/7 2,3 1-5', command: 'dokku pgbackup:run shop --schedule k3f9' },
      { schedule: '0 3 * * *', command: '/bin/sh -c "a b"' },
    ]);
  });
});
