import { scheduleHealth, type ScheduleHealth } from '../domain/overdue.ts';
import type { ScheduleEntry } from '../domain/schedule-entry.ts';
import { readSchedule } from '../domain/schedule.ts';
import { parseSettings } from '../domain/settings.ts';
import type { Ports } from '../ports.ts';

/** What counts of a backup here. */
export interface ProvenBackup {
  readonly service: string;
  readonly startedAt: string;
  /** The storages that have it. */
  readonly storages: readonly string[];
}

export interface EntryHealth extends ScheduleHealth {
  readonly entry: ScheduleEntry;
  /** Start of the newest backup that counts. */
  readonly newest: Date | undefined;
}

/**
 * The health of every schedule. Any proven backup of the service counts for it, by whomever it was taken, that lies in one
 * of the storages that the schedule names. @param backups of the whole host, those of part of a database left out.
 */
export async function schedulesHealth(
  ports: Pick<Ports, 'schedules' | 'settings' | 'clock' | 'host'>,
  backups: readonly ProvenBackup[],
): Promise<readonly EntryHealth[]> {
  const { entries } = await ports.schedules.list();
  const global = await ports.settings.read('--global');
  const now = ports.clock.now();
  return Promise.all(
    entries.map(async (entry) => {
      const { overdueGrace, scheduleJitter } = parseSettings(await ports.settings.read(entry.service), global);
      const newest = newestFor(entry, backups);
      return {
        entry,
        newest,
        ...scheduleHealth(
          readSchedule(entry.cron),
          new Date(entry.createdAt),
          newest,
          now,
          ports.host.timeZone,
          overdueGrace,
          scheduleJitter,
        ),
      };
    }),
  );
}

function newestFor({ service, storages }: ScheduleEntry, backups: readonly ProvenBackup[]): Date | undefined {
  const times = backups
    .filter((backup) => backup.service === service)
    .filter((backup) => storages === null || backup.storages.some((name) => storages.some((wanted) => wanted === name)))
    .map((backup) => Date.parse(backup.startedAt));
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}
