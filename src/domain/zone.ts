/** Local time. Wall-clock times are numbers here: the milliseconds that their digits would be in UTC. */

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timeZone, format);
  }
  return format;
}

/** What the clocks of the zone show at that moment. @throws RangeError for a zone that does not exist. */
export function wallClock(instant: number, timeZone: string): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(instant)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** Milliseconds by which the zone's clocks are ahead of UTC at a whole minute. */
function offsetAt(instant: number, timeZone: string): number {
  return wallClock(instant, timeZone) - instant;
}

/** The moments at which the clocks of the zone show a time, on one day of its calendar. */
export interface DayClock {
  /** One; two where the clock is put back over it, the earlier first; none where it is put forward over it. */
  momentsOf(wall: number): readonly number[];
  /** Where the clock is put forward: when that is, and by how many milliseconds. */
  readonly forward: { readonly at: number; readonly by: number } | undefined;
}

const hour = 3_600_000;

/** @param day the day's 00:00, as a wall-clock time. */
export function dayClock(day: number, timeZone: string): DayClock {
  // No zone is further from UTC than 14 hours.
  const [from, to] = [day - 15 * hour, day + 39 * hour];
  const [before, after] = [offsetAt(from, timeZone), offsetAt(to, timeZone)];
  if (before === after) return { momentsOf: (wall) => [wall - before], forward: undefined };
  const at = changeBetween(from, to, timeZone);
  return {
    // While the old offset holds, and then the new one.
    momentsOf: (wall) => [...(wall - before < at ? [wall - before] : []), ...(wall - after >= at ? [wall - after] : [])],
    forward: after > before ? { at, by: after - before } : undefined,
  };
}

/** The first minute with another offset than the one at the beginning. */
function changeBetween(from: number, to: number, timeZone: string): number {
  const before = offsetAt(from, timeZone);
  let [low, high] = [from, to];
  while (high - low > 60_000) {
    const middle = Math.floor((low + high) / 120_000) * 60_000;
    if (offsetAt(middle, timeZone) === before) low = middle;
    else high = middle;
  }
  return high;
}
