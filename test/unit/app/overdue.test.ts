import { describe, expect, it } from 'vitest';
import { type ProvenBackup, schedulesHealth } from '../../../src/app/overdue.ts';
import { parseServiceName } from '../../../src/domain/names.ts';
import type { ScheduleEntry } from '../../../src/domain/schedule-entry.ts';
import { parseStorageName } from '../../../src/domain/storage-name.ts';
import { shop, World } from '../../twins/world.ts';

const reports = parseServiceName('reports');

function entry(id: string, changes: Partial<ScheduleEntry> = {}): ScheduleEntry {
  return {
    id,
    service: shop,
    namedAs: 'shop',
    cron: '@hourly',
    storages: null,
    labels: {},
    createdAt: '2026-11-19T12:30:00.000Z',
    ...changes,
  };
}

function backup(service: string, startedAt: string, ...storages: string[]): ProvenBackup {
  return { service, startedAt, storages };
}

/** State and newest backup by schedule. It is 03:15. */
async function healthOf(world: World, backups: readonly ProvenBackup[]): Promise<Record<string, string>> {
  const health = await schedulesHealth(world.boot().ports, backups);
  return Object.fromEntries(health.map((one) => [one.entry.id, `${one.state} ${one.newest?.toISOString().slice(11, 16) ?? '-'}`]));
}

describe('the health of all schedules', () => {
  it('goes by the proven backups of the service that lie in a storage of the schedule', async () => {
    const world = new World();
    const { schedules } = world.boot().ports;
    await schedules.write(shop, [entry('aaaa'), entry('bbbb', { storages: [parseStorageName('offsite')] })]);
    await schedules.write(reports, [
      entry('cccc', { service: reports }),
      entry('dddd', { service: reports, createdAt: '2026-11-20T03:10:00.000Z' }),
    ]);
    expect(
      await healthOf(world, [
        backup('shop', '2026-11-20T03:02:00.000Z', 'local'),
        backup('shop', '2026-11-20T01:02:00.000Z', 'local', 'offsite'),
        backup('other', '2026-11-20T03:02:00.000Z', 'local', 'offsite'),
      ]),
    ).toEqual({ aaaa: 'ok 03:02', bbbb: 'overdue 01:02', cccc: 'never -', dddd: 'ok -' });
  });

  it('goes by the settings of the service', async () => {
    const world = new World();
    const { schedules, settings } = world.boot().ports;
    await schedules.write(shop, [entry('aaaa')]);
    const backups = [backup('shop', '2026-11-20T01:02:00.000Z', 'local')];
    expect(await healthOf(world, backups)).toEqual({ aaaa: 'overdue 01:02' });
    await settings.write(shop, 'schedule-jitter', '30m');
    expect(await healthOf(world, backups)).toEqual({ aaaa: 'late 01:02' });
    await settings.write(shop, 'overdue-grace', '10m');
    expect(await healthOf(world, backups)).toEqual({ aaaa: 'overdue 01:02' });
  });
});
