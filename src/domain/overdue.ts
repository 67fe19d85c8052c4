/** Whether a schedule has the backups that it should have. */
import type { Schedule } from './schedule.ts';
import { nextRuns } from './schedule-times.ts';

/**
 * - `ok`: there is a proven backup from after the last time it was due (or it has not been due yet);
 * - `late`: there is none yet, and the grace is not over: it may be under way;
 * - `overdue`: there is none, and there should be;
 * - `never`: the same, and there has not been one at all.
 */
export type HealthState = 'ok' | 'late' | 'overdue' | 'never';

/** What is known of one schedule at a moment. */
export interface ScheduleHealth {
  readonly state: HealthState;
  /** The first time it was due without a backup since; undefined when nothing is missing. */
  readonly missedSince: Date | undefined;
  /** When what is missing counts as overdue, or when the backup of the next time does. */
  readonly overdueAt: Date | undefined;
  readonly nextDue: Date | undefined;
}

/** The least grace, in seconds: a backup takes its time, and may wait its turn. */
const leastGrace = 3600;

/**
 * What becomes overdue is judged by the first time that was missed, not by the last: of a schedule that fails every time, the
 * last one is always recent.
 * @param createdAt when the schedule was made: times before do not count.
 * @param newestBackupAt start of the newest proven backup that counts for it. One from the future (the clock has been put
 * back) counts as of now, or nothing would be missed until then.
 * @param grace seconds from when it is due to when it is overdue; undefined: an hour, or a tenth of the time from that
 * run to the next, whichever is longer. @param jitter seconds by which a run may begin later: added to the grace.
 */
export function scheduleHealth(
  schedule: Schedule,
  createdAt: Date,
  newestBackupAt: Date | undefined,
  now: Date,
  timeZone: string,
  grace: number | undefined,
  jitter = 0,
): ScheduleHealth {
  const since = new Date(Math.min(now.getTime(), Math.max(createdAt.getTime(), newestBackupAt?.getTime() ?? 0)));
  const [first, second] = nextRuns(schedule, since, 2, timeZone);
  const nextDue = nextRuns(schedule, now, 1, timeZone)[0];
  if (first === undefined) return { state: 'ok', missedSince: undefined, overdueAt: undefined, nextDue };
  const interval = second === undefined ? 0 : (second.getTime() - first.getTime()) / 1000;
  const overdueAt = new Date(first.getTime() + (grace ?? Math.max(leastGrace, interval / 10)) * 1000 + jitter * 1000);
  if (first > now) return { state: 'ok', missedSince: undefined, overdueAt, nextDue };
  const overdue = newestBackupAt === undefined ? 'never' : 'overdue';
  return { state: now < overdueAt ? 'late' : overdue, missedSince: first, overdueAt, nextDue };
}
