import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastDue, nextRuns } from '../../../src/domain/schedule-times.ts';
import { readSchedule } from '../../../src/domain/schedule.ts';

const minute = 60_000;

/** What the clock on the wall shows, as minutes and as the numbers that cron compares. */
interface Wall {
  readonly minutes: number;
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
}

function wallOf(date: Date): Wall {
  return {
    minutes: Math.floor(date.getTime() / minute),
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    weekday: date.getUTCDay(),
  };
}

const shown = new Map<string, Wall>();

/** Not by the code under test; kept, since the same two days are looked at again and again. */
function wall(moment: number, timeZone: string): Wall {
  const key = `${timeZone} ${moment}`;
  const kept = shown.get(key) ?? wallOf(new Date(`${new Date(moment).toLocaleString('sv-SE', { timeZone }).replace(' ', 'T')}Z`));
  shown.set(key, kept);
  return kept;
}

interface Field {
  readonly text: string;
  readonly values: ReadonlySet<number>;
}

type Fields = readonly [Field, Field, Field, Field, Field];

/** Vixie's main loop (cron.c), minute by minute: a virtual clock that follows the one on the wall. */
function simulate([minutes, hours, days, months, weekdays]: Fields, from: number, to: number, timeZone: string): number[] {
  const star = (field: Field): boolean => field.text.startsWith('*');
  const wild = star(minutes) || star(hours);
  const matches = (at: Wall): boolean => {
    const [inMonth, inWeek] = [days.values.has(at.day), weekdays.values.has(at.weekday)];
    const onDay = star(days) || star(weekdays) ? inMonth && inWeek : inMonth || inWeek;
    return minutes.values.has(at.minute) && hours.values.has(at.hour) && months.values.has(at.month) && onDay;
  };
  const runs = new Set<number>();
  let virtual = wall(from, timeZone).minutes;
  for (let moment = from + minute; moment <= to; moment += minute) {
    const now = wall(moment, timeZone);
    const ahead = now.minutes - virtual;
    if (ahead === 1 || Math.abs(ahead) > 180) {
      if (matches(now)) runs.add(moment);
      virtual = now.minutes;
    } else if (ahead > 1) {
      if (wild && matches(now)) runs.add(moment);
      for (virtual += 1; virtual <= now.minutes; virtual += 1) if (!wild && matches(wallOf(new Date(virtual * minute)))) runs.add(moment);
      virtual = now.minutes;
    } else if (wild && matches(now)) runs.add(moment);
  }
  return [...runs];
}

function field(low: number, high: number, most: number): fc.Arbitrary<Field> {
  const number = fc.integer({ min: low, max: high });
  const range = fc.tuple(number, number).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const span = (a: number, b: number, step: number): number[] =>
    Array.from({ length: Math.floor((b - a) / step) + 1 }, (_, i) => a + i * step);
  const step = fc.integer({ min: 2, max: 12 });
  const item: fc.Arbitrary<{ text: string; values: number[] }> = fc.oneof(
    number.map((n) => ({ text: `${n}`, values: [n] })),
    fc.constant({ text: '*', values: span(low, most, 1) }),
    step.filter((n) => n <= most - low).map((n) => ({ text: `*/${n}`, values: span(low, most, n) })),
    range.map(([a, b]) => ({ text: `${a}-${b}`, values: span(a, b, 1) })),
    fc
      .tuple(range, step)
      .filter(([[a, b], n]) => n <= b - a)
      .map(([[a, b], n]) => ({ text: `${a}-${b}/${n}`, values: span(a, b, n) })),
  );
  return fc
    .oneof({ weight: 3, arbitrary: item.map((one) => [one]) }, { weight: 1, arbitrary: fc.array(item, { minLength: 2, maxLength: 3 }) })
    .map((items) => ({
      text: items.map((one) => one.text).join(','),
      values: new Set(items.flatMap((one) => one.values).map((value) => (high === 7 ? value % 7 : value))),
    }));
}

const anyFields: fc.Arbitrary<Fields> = fc.tuple(field(0, 59, 59), field(0, 23, 23), field(1, 31, 31), field(1, 12, 12), field(0, 7, 6));

/** Days around which the clock of a zone is put forward or back, and quiet ones. */
const places = [
  ['Europe/Berlin', '2026-03-28T12:00:00Z'],
  ['Europe/Berlin', '2026-10-24T12:00:00Z'],
  ['America/New_York', '2026-03-07T12:00:00Z'],
  ['America/New_York', '2026-10-31T12:00:00Z'],
  // By half an hour.
  ['Australia/Lord_Howe', '2026-04-04T00:00:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T00:00:00Z'],
  // Over midnight, in both directions.
  ['America/Havana', '2026-03-07T12:00:00Z'],
  ['America/Sao_Paulo', '2018-02-17T12:00:00Z'],
  ['America/Sao_Paulo', '2018-11-03T12:00:00Z'],
  // A whole day is left out.
  ['Pacific/Apia', '2011-12-29T12:00:00Z'],
  ['Asia/Kathmandu', '2026-05-01T00:00:00Z'],
  ['UTC', '2028-02-28T00:00:00Z'],
] as const;

describe('nextRuns', () => {
  it('gives the times at which Vixie cron starts a job, simulated minute by minute, over every change of the clock', () => {
    fc.assert(
      fc.property(anyFields, fc.constantFrom(...places), fc.constantFrom(0, 7, 180), (fields, [timeZone, around], later) => {
        const text = fields.map((one) => one.text).join(' ');
        let schedule;
        try {
          schedule = readSchedule(text);
        } catch {
          // The only thing that a valid line may be refused for.
          return;
        }
        const from = Date.parse(around) + later * minute;
        const to = from + 30 * 60 * minute;
        const expected = simulate(fields, from, to, timeZone).map((moment) => new Date(moment).toISOString());
        const runs = nextRuns(schedule, new Date(from), expected.length + 1, timeZone).map((date) => date.toISOString());
        expect(runs.filter((run) => Date.parse(run) <= to)).toEqual(expected);
        if (expected.length > 0) expect(lastDue(schedule, new Date(to), timeZone)?.toISOString()).toBe(expected.at(-1));
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it.each([
    ['0 */6 * * *', 'UTC', '2026-11-20T03:15:00Z', ['2026-11-20T06:00', '2026-11-20T12:00', '2026-11-20T18:00', '2026-11-21T00:00']],
    // Strictly later than the moment.
    ['@daily', 'UTC', '2026-11-20T00:00:00Z', ['2026-11-21T00:00']],
    ['@weekly', 'UTC', '2026-11-20T00:00:00Z', ['2026-11-22T00:00', '2026-11-29T00:00']],
    ['0 0 29 2 *', 'UTC', '2026-11-20T00:00:00Z', ['2028-02-29T00:00', '2032-02-29T00:00']],
    // No leap year in 2100.
    ['0 0 29 2 *', 'UTC', '2096-03-01T00:00:00Z', ['2104-02-29T00:00']],
    // Either of the two days …
    [
      '0 0 13 * 5',
      'UTC',
      '2026-11-01T00:00:00Z',
      [
        '2026-11-06T00:00',
        '2026-11-13T00:00',
        '2026-11-20T00:00',
        '2026-11-27T00:00',
        '2026-12-04T00:00',
        '2026-12-11T00:00',
        '2026-12-13T00:00',
      ],
    ],
    // … but both where one begins with a star.
    ['0 0 */2 * 1', 'UTC', '2026-11-01T00:00:00Z', ['2026-11-09T00:00', '2026-11-23T00:00', '2026-12-07T00:00']],
    // The clock is put forward over it: right after the gap.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['2026-03-29T01:00', '2026-03-30T00:30']],
    ['*/30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['2026-03-30T00:00', '2026-03-30T00:30']],
    // And back: the fixed one the first time only.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', ['2026-10-25T00:30', '2026-10-26T01:30']],
    [
      '0 */2 * * *',
      'Europe/Berlin',
      '2026-10-24T21:00:00Z',
      ['2026-10-24T22:00', '2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T03:00'],
    ],
  ])('%s in %s after %s', (cron, timeZone, from, expected) => {
    const runs = nextRuns(readSchedule(cron), new Date(from), expected.length, timeZone);
    expect(runs.map((run) => run.toISOString())).toEqual(expected.map((time) => `${time}:00.000Z`));
  });

  it('is quick for the rarest of all, and for the most frequent', () => {
    const begun = performance.now();
    expect(nextRuns(readSchedule('0 0 29 2 */6'), new Date('2076-03-01T00:00:00Z'), 1, 'Europe/Berlin')).toHaveLength(1);
    expect(nextRuns(readSchedule('* * * * *'), new Date('2026-11-20T00:00:00Z'), 5, 'Europe/Berlin')).toHaveLength(5);
    expect(performance.now() - begun).toBeLessThan(500);
  });
});

describe('lastDue', () => {
  it.each([
    ['0 */6 * * *', '2026-11-20T06:00:00Z', '2026-11-20T06:00'],
    ['0 */6 * * *', '2026-11-20T05:59:59Z', '2026-11-20T00:00'],
    ['@yearly', '2026-11-20T05:59:59Z', '2026-01-01T00:00'],
  ])('of %s at %s is %s', (cron, now, expected) => {
    expect(lastDue(readSchedule(cron), new Date(now), 'UTC')?.toISOString()).toBe(`${expected}:00.000Z`);
  });
});
