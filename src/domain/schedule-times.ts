/**
 * When cron starts what is scheduled, over changes of the clock too, as Debian's cron (Vixie 3.0, cron.c) does it:
 * - A schedule with `*` at the beginning of its minute or hour goes by the clock on the wall: times that are skipped are
 *   not made up for, times that come twice count twice.
 * - Any other is kept: what falls into a gap is started right after it (unless the gap is longer than three hours,
 *   which cron takes for a correction of the clock), and what comes twice is started the first time only.
 */
import { isDayOf, type Schedule } from './schedule.ts';
import { dayClock, wallClock } from './zone.ts';

const day = 86_400_000;
/** 29 February on a given day of the week may be this far away, since 2100 is no leap year. */
const horizon = 45 * 366;
const longestMadeUpFor = 3 * 3_600_000;

/** The next times after a moment, ascending; at most `count`. @param timeZone IANA name, for example Europe/Berlin. */
export function nextRuns(schedule: Schedule, from: Date, count: number, timeZone: string): Date[] {
  const found: number[] = [];
  const first = dayOf(from, timeZone) - day;
  let enough = false;
  for (let i = 0; i < horizon && !enough; i += 1) {
    // One day more than needed: where a clock is put back over midnight, a day comes to an end twice.
    enough = found.length >= count;
    found.push(...momentsOn(schedule, first + i * day, timeZone).filter((moment) => moment > from.getTime()));
  }
  return sorted(found)
    .slice(0, count)
    .map((moment) => new Date(moment));
}

/** The last time up to a moment, itself included. */
export function lastDue(schedule: Schedule, now: Date, timeZone: string): Date | undefined {
  const first = dayOf(now, timeZone) + day;
  const found: number[] = [];
  let enough = false;
  for (let i = 0; i < horizon && !enough; i += 1) {
    enough = found.length > 0;
    found.push(...momentsOn(schedule, first - i * day, timeZone).filter((moment) => moment <= now.getTime()));
  }
  const last = sorted(found).at(-1);
  return last === undefined ? undefined : new Date(last);
}

function dayOf(moment: Date, timeZone: string): number {
  return Math.floor(wallClock(moment.getTime(), timeZone) / day) * day;
}

function sorted(moments: readonly number[]): number[] {
  return [...new Set(moments)].toSorted((a, b) => a - b);
}

/** Moments at which the schedule is due on one day of the calendar. */
function momentsOn(schedule: Schedule, start: number, timeZone: string): number[] {
  if (!isDayOf(schedule, new Date(start))) return [];
  const clock = dayClock(start, timeZone);
  return schedule.hours.flatMap((hour) =>
    schedule.minutes.flatMap((minute) => {
      const moments = clock.momentsOf(start + hour * 3_600_000 + minute * 60_000);
      if (schedule.wild) return moments;
      const [once] = moments;
      if (once !== undefined) return [once];
      return clock.forward && clock.forward.by <= longestMadeUpFor ? [clock.forward.at] : [];
    }),
  );
}
