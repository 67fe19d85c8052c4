/** The schedules of a service, as they are kept in a file and written to the crontab. */
import * as v from 'valibot';
import { PgbackupError } from './errors.ts';
import { isServiceName, type ServiceName } from './names.ts';
import { readSchedule } from './schedule.ts';
import { isStorageName, type StorageName } from './storage-name.ts';

/** One schedule of a service. */
export interface ScheduleEntry {
  /** Four characters of a-z and 0-9, unique on the host. */
  readonly id: string;
  readonly service: ServiceName;
  /** The app or service that was named when it was made; what is backed up is the service. */
  readonly namedAs: string;
  readonly cron: string;
  /** Where its backups go; null: where the settings say. */
  readonly storages: readonly StorageName[] | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
}

const idPattern = /^[a-z0-9]{4}$/;

const entrySchema = v.object({
  id: v.pipe(v.string(), v.regex(idPattern)),
  service: v.pipe(
    v.string(),
    v.custom<ServiceName>((name) => typeof name === 'string' && isServiceName(name)),
  ),
  // In capitals as no key of a label can be: the trigger of a rename finds it in the text.
  namedAs: v.string(),
  // As it was written: a line of the crontab is made of it.
  cron: v.pipe(
    v.string(),
    v.check((cron) => readSchedule(cron).cron === cron),
  ),
  storages: v.nullable(
    v.array(
      v.pipe(
        v.string(),
        v.custom<StorageName>((name) => typeof name === 'string' && isStorageName(name)),
      ),
    ),
  ),
  labels: v.record(v.string(), v.string()),
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
});

const fileSchema = v.object({ version: v.literal(1), schedules: v.array(entrySchema) });

/** @throws PgbackupError damaged, for what is no such file, or that of another service. */
export function parseScheduleFile(text: string, service: string, where: string): readonly ScheduleEntry[] {
  try {
    const { schedules } = v.parse(fileSchema, JSON.parse(text));
    if (schedules.some((entry) => entry.service !== service)) throw new Error('it is that of another service');
    return schedules;
  } catch (cause) {
    throw new PgbackupError('damaged', `The schedules of ${service} cannot be read: ${where}`, {
      cause,
      hint: `What was in the crontab stays there. Make them anew: dokku pgbackup:unschedule ${service} --all, then dokku pgbackup:schedule`,
    });
  }
}

export function formatScheduleFile(schedules: readonly ScheduleEntry[]): string {
  return `${JSON.stringify({ version: 1, schedules })}\n`;
}

/** What cron runs for a schedule. */
export function commandOf({ service, id }: Pick<ScheduleEntry, 'service' | 'id'>): string {
  return `dokku pgbackup:run ${service} --schedule ${id}`;
}

/** The line that the trigger cron-entries gives to Dokku, which adds the log to it. */
export function lineOf(entry: ScheduleEntry): string {
  return `${entry.cron};${commandOf(entry)}`;
}

/** Whether two schedules do the same thing at the same times. */
export function isSameSchedule(a: ScheduleEntry, b: ScheduleEntry): boolean {
  const essence = ({ cron, storages, labels }: ScheduleEntry): string =>
    JSON.stringify([cron, storages?.toSorted(), Object.entries(labels).toSorted(([x], [y]) => (x < y ? -1 : 1))]);
  return a.service === b.service && essence(a) === essence(b);
}
