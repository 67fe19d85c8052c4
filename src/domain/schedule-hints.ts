/** What people type in place of a schedule, and what they will have meant. */

/** A schedule to type instead. */
export interface Suggestion {
  readonly cron: string;
  /** In words, for the person to choose by. */
  readonly meaning: string;
}

/** Hour of the night at which what happens daily or less often is suggested. */
const night = 3;

const once: ReadonlyMap<string, Suggestion> = new Map([
  ['minute', { cron: '*/15 * * * *', meaning: 'every 15 minutes; every minute is more than a backup needs' }],
  ['hour', { cron: '0 * * * *', meaning: 'every hour' }],
  ['day', { cron: `0 ${night} * * *`, meaning: `every night at ${night}:00` }],
  ['week', { cron: `0 ${night} * * 0`, meaning: `every Sunday at ${night}:00` }],
  ['month', { cron: `0 ${night} 1 * *`, meaning: `the first of every month at ${night}:00` }],
  ['year', { cron: `0 ${night} 1 1 *`, meaning: `the first of January at ${night}:00` }],
]);

const unitOf: ReadonlyMap<string, string> = new Map([
  ...['m', 'min', 'mins', 'minute', 'minutes'].map((word) => [word, 'minute'] as const),
  ...['h', 'hr', 'hrs', 'hour', 'hours', 'hourly'].map((word) => [word, 'hour'] as const),
  ...['d', 'day', 'days', 'daily', 'nightly', 'night', 'midnight', 'everyday'].map((word) => [word, 'day'] as const),
  ...['w', 'week', 'weeks', 'weekly'].map((word) => [word, 'week'] as const),
  ...['month', 'months', 'monthly'].map((word) => [word, 'month'] as const),
  ...['y', 'year', 'years', 'yearly', 'annually'].map((word) => [word, 'year'] as const),
]);

/** Schedules that a text which is none may have meant, the likeliest first; none where nobody can say. */
export function suggestSchedules(text: string): readonly Suggestion[] {
  const words = text
    .trim()
    .toLowerCase()
    .replace(/^@/, '')
    .replace(/^(?:every|each|once an?|once every)\s+/, '');
  const six = sixFields(text);
  if (six.length > 0) return six;
  const unit = unitOf.get(words);
  const single = unit === undefined ? undefined : once.get(unit);
  if (single) return [single];
  const [, count, counted] = /^(\d{1,4})\s*([a-z]+)$/.exec(words) ?? [];
  if (count !== undefined && counted !== undefined) return everyFew(Number(count), unitOf.get(counted));
  const [, hour, minute] = /^(?:(?:day|daily|night) )?(?:at )?(\d{1,2}):(\d{2})$/.exec(words) ?? [];
  if (hour !== undefined && minute !== undefined && Number(hour) < 24 && Number(minute) < 60)
    return [{ cron: `${Number(minute)} ${Number(hour)} * * *`, meaning: `every day at ${Number(hour)}:${minute}` }];
  const [, from] = /^(\d{1,2})\/\d{1,2}( |$)/.exec(words) ?? [];
  if (from !== undefined)
    return [{ cron: text.trim().replace(/^\d{1,2}\//, `${from}-59/`), meaning: `beginning with minute ${from}` }].filter(({ cron }) =>
      isPlain(cron),
    );
  return [];
}

/** Nothing but what a line of five fields may hold: a suggestion is meant to be pasted into a shell. */
function isPlain(cron: string): boolean {
  return /^[0-9a-z*/, -]+$/i.test(cron) && cron.split(' ').length === 5;
}

/** Six fields: the first is that of seconds elsewhere, or the last is that of years. */
function sixFields(text: string): readonly Suggestion[] {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 6) return [];
  return [
    { cron: fields.slice(1).join(' '), meaning: 'without the seconds, which cron does not have' },
    { cron: fields.slice(0, 5).join(' '), meaning: 'without the last field' },
  ].filter(({ cron }) => isPlain(cron));
}

function everyFew(count: number, unit: string | undefined): readonly Suggestion[] {
  switch (unit) {
    case 'minute':
      return count >= 60 ? everyFew(Math.round(count / 60), 'hour') : [steps(count, 60, 'minute', (n) => `*/${n} * * * *`)];
    case 'hour':
      return count >= 24 ? everyFew(Math.round(count / 24), 'day') : [steps(count, 24, 'hour', (n) => `0 */${n} * * *`)];
    case 'day':
      if (count >= 7) return everyFew(Math.round(count / 7), 'week');
      return [
        count === 1
          ? { cron: `0 ${night} * * *`, meaning: `every night at ${night}:00` }
          : { cron: `0 ${night} */${count} * *`, meaning: `every ${count} days, beginning anew with each month` },
      ];
    case 'week':
    case 'month':
    case 'year': {
      const single = once.get(unit);
      return single ? [single] : [];
    }
    default:
      return [];
  }
}

/** Every so many of a whole that begins anew: only what divides it comes at even distances. */
function steps(count: number, whole: number, unit: string, cron: (n: number) => string): Suggestion {
  let even = Math.max(1, count);
  while (whole % even !== 0) even -= 1;
  const meaning = even === 1 ? `every ${unit}` : `every ${even} ${unit}s`;
  if (even === 1) return { cron: cron(1).replace('*/1', '*'), meaning };
  return { cron: cron(even), meaning: even === count ? meaning : `${meaning}; ${count} do not divide ${whole}` };
}
