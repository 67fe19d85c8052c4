/** When a backup is due: what may stand in user dokku's crontab, read as Debian's cron (Vixie 3.0) reads it. */
import { messageOf, PgbackupError } from './errors.ts';
import { suggestSchedules } from './schedule-hints.ts';

/** A schedule that cron accepts and that fires at some time. */
export interface Schedule {
  /** As it goes to the crontab: single spaces, digits for names, or one of cron's @ words. */
  readonly cron: string;
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly daysOfMonth: readonly number[];
  readonly months: readonly number[];
  /** 0 is Sunday. */
  readonly daysOfWeek: readonly number[];
  /**
   * A day must be in both fields of days rather than in either: so it is in cron where one of the two begins with `*`,
   * be there a step behind it or not.
   */
  readonly bothDays: boolean;
  /** Minute or hour begins with `*`: cron then goes by the clock on the wall, also when that is put forward or back. */
  readonly wild: boolean;
}

interface FieldRule {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  /** Index + `low` is what a name stands for. */
  readonly names: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const minuteRule: FieldRule = { name: 'minute', low: 0, high: 59, names: [] };
const hourRule: FieldRule = { name: 'hour', low: 0, high: 23, names: [] };
const dayOfMonthRule: FieldRule = { name: 'day of month', low: 1, high: 31, names: [] };
const monthRule: FieldRule = { name: 'month', low: 1, high: 12, names: months };
const dayOfWeekRule: FieldRule = { name: 'day of week', low: 0, high: 7, names: weekdays };

/** The words that stand for all five fields. (`@reboot` is no time; cron knows no others.) */
const words: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
]);

/** The longest list that a person writes; cron's own limit for a line is far above. */
const longest = 300;

/**
 * A schedule as a person typed it. It must be one for cron and for the cron-parser library, with the same minutes, hours,
 * days and months for both: where two readers differ, people differ too. @param target what the hint tells to type.
 * @throws PgbackupError usage, with the line to type where what was meant can be guessed.
 */
export async function parseSchedule(text: string, target: string): Promise<Schedule> {
  let schedule: Schedule;
  try {
    schedule = readSchedule(text);
    await mustAgree(schedule);
  } catch (error) {
    const lines = suggestSchedules(text).map(({ cron, meaning }) => `dokku pgbackup:schedule ${target} "${cron}"   (${meaning})`);
    const hint =
      lines.length > 0
        ? `Type: ${lines.join('\nor:   ')}`
        : 'Five fields: minute, hour, day of month, month, day of week: "0 */6 * * *" is every six hours';
    throw new PgbackupError('usage', messageOf(error), { cause: error, hint });
  }
  return schedule;
}

/** A schedule in cron's own words, for texts that were checked before. @throws PgbackupError usage. */
export function readSchedule(text: string): Schedule {
  const refuse = (why: string): never => {
    throw new PgbackupError('usage', `"${text.slice(0, 60)}" is no schedule: ${why}`);
  };
  // Also what would end the line of a crontab, or split it for Dokku (;) or for cron (%).
  if (/[^\x20-\x7e\t]/.test(text)) return refuse('it holds a line break or a character that cron does not know');
  if (text.length > longest) return refuse(`it is longer than ${longest} characters`);
  const cron = text
    .trim()
    .split(/[ \t]+/)
    .join(' ');
  const fields = (words.get(cron) ?? cron).split(' ');
  if (cron.startsWith('@') && !words.has(cron)) return refuse(`cron has no ${cron}`);
  const [minute, hour, dayOfMonth, month, dayOfWeek, ...more] = fields;
  if (
    minute === undefined ||
    hour === undefined ||
    dayOfMonth === undefined ||
    month === undefined ||
    dayOfWeek === undefined ||
    more.length > 0
  )
    return refuse(cron === '' ? 'it is empty' : `it has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}, and not five`);
  const read = (field: string, rule: FieldRule): { values: readonly number[]; written: string } => {
    const items = field.split(',').map((item) => readItem(item, rule, (why) => refuse(`${rule.name} "${field}" ${why}`)));
    const values = [...new Set(items.flatMap((item) => item.values))].toSorted((a, b) => a - b);
    return { values, written: items.map((item) => item.written).join(',') };
  };
  const parts = {
    minute: read(minute, minuteRule),
    hour: read(hour, hourRule),
    dayOfMonth: read(dayOfMonth, dayOfMonthRule),
    month: read(month, monthRule),
    dayOfWeek: read(dayOfWeek, dayOfWeekRule),
  };
  const star = (field: string): boolean => field.startsWith('*');
  const schedule = {
    cron: words.has(cron)
      ? cron
      : Object.values(parts)
          .map((part) => part.written)
          .join(' '),
    minutes: parts.minute.values,
    hours: parts.hour.values,
    daysOfMonth: parts.dayOfMonth.values,
    months: parts.month.values,
    daysOfWeek: [...new Set(parts.dayOfWeek.values.map((day) => day % 7))].toSorted((a, b) => a - b),
    bothDays: star(dayOfMonth) || star(dayOfWeek),
    wild: star(minute) || star(hour),
  };
  return firesAtAll(schedule) ? schedule : refuse('no year has such a day');
}

/**
 * One item of a list: `*`, a number or a name, a range, each but a single one with a step. Stricter than cron, which takes
 * `5-1` (and never fires), `1#2` (and reads 1) and `*` + `/90` (and fires once an hour). Names come out as digits: cron reads
 * them in ranges and lists too, but its manual says that it does not.
 */
function readItem(item: string, rule: FieldRule, refuse: (why: string) => never): { values: readonly number[]; written: string } {
  const [, all, first, last, step] =
    /^(?:(\*)|([0-9]{1,3}|[a-z]{3})(?:-([0-9]{1,3}|[a-z]{3}))?)(?:\/([0-9]{1,4}))?$/i.exec(item) ?? refuse('is not understood');
  const from = all === undefined ? numberOf(first ?? '', rule, refuse) : rule.low;
  // A week has seven days, the last of which is written twice.
  const to =
    all !== undefined
      ? Math.min(rule.high, rule.low === 0 && rule.high === 7 ? 6 : rule.high)
      : last === undefined
        ? from
        : numberOf(last, rule, refuse);
  if (from > to) refuse(`runs from ${from} back to ${to}`);
  const every = step === undefined ? 1 : Number(step);
  if (every === 0) refuse('has a step of 0');
  if (step !== undefined && all === undefined && last === undefined)
    refuse(`is not read alike by every cron: write ${from}-${rule.high}/${every}`);
  if (every > 1 && every > to - from) refuse(`has a step that is longer than its range`);
  const values = Array.from({ length: Math.floor((to - from) / every) + 1 }, (_, i) => from + i * every);
  const range = all ?? (last === undefined ? `${from}` : `${from}-${to}`);
  return { values, written: step === undefined ? range : `${range}/${every}` };
}

function numberOf(text: string, rule: FieldRule, refuse: (why: string) => never): number {
  const named = rule.names.indexOf(text.toLowerCase());
  if (named >= 0) return rule.low + named;
  if (!/^[0-9]+$/.test(text)) return refuse(`holds "${text}", which is no number${rule.names.length > 0 ? ' and no name' : ''}`);
  const value = Number(text);
  return value >= rule.low && value <= rule.high ? value : refuse(`is not within ${rule.low}-${rule.high}`);
}

/** Whether the day of a date (at 00:00 UTC) is one of the schedule's, by cron's rule for its two fields of days. */
export function isDayOf(schedule: Omit<Schedule, 'cron'>, date: Date): boolean {
  if (!schedule.months.includes(date.getUTCMonth() + 1)) return false;
  const inMonth = schedule.daysOfMonth.includes(date.getUTCDate());
  const inWeek = schedule.daysOfWeek.includes(date.getUTCDay());
  return schedule.bothDays ? inMonth && inWeek : inMonth || inWeek;
}

/** Within 28 years every date falls on every day of the week. */
function firesAtAll(schedule: Omit<Schedule, 'cron'>): boolean {
  for (let day = Date.UTC(2000, 0, 1); day < Date.UTC(2028, 0, 1); day += 86_400_000) if (isDayOf(schedule, new Date(day))) return true;
  return false;
}

/** @throws PgbackupError usage, where cron-parser takes the schedule for another, or for none. */
async function mustAgree(schedule: Schedule): Promise<void> {
  // Here alone, since it takes longer to load than all else that a command does: what is stored has been through here.
  const library = await import('cron-parser');
  // Of a CommonJS module that is loaded lazily, a bundle knows `default` alone.
  const CronExpressionParser = library.CronExpressionParser ?? library.default.CronExpressionParser;
  const text = words.get(schedule.cron) ?? schedule.cron;
  const refuse = (why: string, cause?: unknown): never => {
    throw new PgbackupError('usage', `"${schedule.cron}" is a schedule that cron takes, but not everybody who reads it: ${why}`, { cause });
  };
  let fields;
  try {
    ({ fields } = CronExpressionParser.parse(text, { tz: 'UTC' }));
  } catch (error) {
    return refuse(messageOf(error), error);
  }
  const same = (ours: readonly number[], theirs: readonly unknown[]): boolean =>
    JSON.stringify(ours) === JSON.stringify([...new Set(theirs.map(Number))].toSorted((a, b) => a - b));
  // It leaves out days that the only month does not have.
  const days = schedule.daysOfMonth.filter((day) =>
    schedule.months.some((month) => day <= new Date(Date.UTC(2000, month, 0)).getUTCDate()),
  );
  const agreed =
    same(schedule.minutes, fields.minute.values) &&
    same(schedule.hours, fields.hour.values) &&
    same(days, fields.dayOfMonth.values) &&
    same(schedule.months, fields.month.values) &&
    same(
      schedule.daysOfWeek,
      fields.dayOfWeek.values.map((day) => Number(day) % 7),
    );
  if (!agreed) refuse('it is understood in two ways');
}
