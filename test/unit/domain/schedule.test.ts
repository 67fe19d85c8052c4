import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { suggestSchedules } from '../../../src/domain/schedule-hints.ts';
import { parseSchedule, readSchedule } from '../../../src/domain/schedule.ts';

describe('a schedule (pitfall 43)', () => {
  it.each([
    // What Debian's crontab 3.0pl1-162 takes: each line was given to it.
    ['0 */6 * * *', '0 */6 * * *'],
    ['@daily', '@daily'],
    ['@hourly', '@hourly'],
    ['@midnight', '@midnight'],
    ['@weekly', '@weekly'],
    ['@monthly', '@monthly'],
    ['@yearly', '@yearly'],
    ['@annually', '@annually'],
    ['007 03 * * *', '7 3 * * *'],
    ['0 0 * * mon-fri', '0 0 * * 1-5'],
    ['0 0 * JAN,feb Sun', '0 0 * 1,2 0'],
    ['0 0 * * 7', '0 0 * * 7'],
    ['0 0 * * 5-7', '0 0 * * 5-7'],
    ['0 0 * * 0-7', '0 0 * * 0-7'],
    ['1-5/2,*/7,59 * * * *', '1-5/2,*/7,59 * * * *'],
    ['0 0 31 * *', '0 0 31 * *'],
    ['0 0 29 2 *', '0 0 29 2 *'],
    ['0 0 */2 * 1', '0 0 */2 * 1'],
    ['0 0 13 * 5', '0 0 13 * 5'],
    ['  0\t*/6   * * * ', '0 */6 * * *'],
  ])('%j is one, and is written %j', async (text, cron) => {
    const schedule = await parseSchedule(text, 'shop');
    expect(schedule.cron).toBe(cron);
    // What is stored is read again.
    expect(readSchedule(cron)).toEqual(schedule);
  });

  it('knows 0 and 7 for Sunday', () => {
    expect(readSchedule('0 0 * * 7').daysOfWeek).toEqual([0]);
    expect(readSchedule('0 0 * * 5-7').daysOfWeek).toEqual([0, 5, 6]);
    expect(readSchedule('0 0 * * sun').daysOfWeek).toEqual([0]);
    expect(readSchedule('0 0 * * 1-7/3').daysOfWeek).toEqual([0, 1, 4]);
  });

  it.each([
    // Refused by cron.
    ['60 * * * *', 'minute "60" is not within 0-59'],
    ['* 24 * * *', 'hour "24" is not within 0-23'],
    ['* * 0 * *', 'day of month "0" is not within 1-31'],
    ['* * * 0 *', 'month "0" is not within 1-12'],
    ['* * * 13 *', 'month "13"'],
    ['* * * * 8', 'day of week "8" is not within 0-7'],
    ['*/0 * * * *', 'has a step of 0'],
    ['1,,2 * * * *', 'is not understood'],
    ['1, * * * *', 'is not understood'],
    ['5x * * * *', 'is not understood'],
    ['1/2/3 * * * *', 'is not understood'],
    ['* * * * L', 'is not understood'],
    ['? * * * *', 'is not understood'],
    ['H * * * *', 'is not understood'],
    ['* * 15W * *', 'is not understood'],
    ['mon * * * *', 'which is no number'],
    ['* * * * foo', 'which is no number and no name'],
    ['@Daily', 'cron has no @Daily'],
    ['@reboot', 'cron has no @reboot'],
    ['@every 6h', 'cron has no @every 6h'],
    ['', 'it is empty'],
    ['0 0 * *', 'it has 4 fields, and not five'],
    ['0 */6 * * * *', 'it has 6 fields, and not five'],
    // Taken by cron, but they never fire, or at other times than they seem to.
    ['0 0 30 2 *', 'no year has such a day'],
    ['0 0 31 4,6,9,11 *', 'no year has such a day'],
    ['5-1 * * * *', 'runs from 5 back to 1'],
    ['0 0 * * fri-sun', 'runs from 5 back to 0'],
    ['*/90 * * * *', 'step that is longer than its range'],
    ['5/15 * * * *', 'write 5-59/15'],
    ['1-2-3 * * * *', 'is not understood'],
    ['** * * * *', 'is not understood'],
    ['0 0 * * 1#2', 'is not understood'],
    ['*,5 * * * *', 'duplicate values'],
    // What would end or split the line.
    ['0 0 * * *; rm -rf /', 'fields'],
    ['0 0 * * 1;', 'is not understood'],
    ['0 0 * * %', 'is not understood'],
    ['0 0 * *\n*', 'line break'],
    ['0 0 * * *\u2028', 'line break'],
    ['０ 0 * * *', 'character that cron does not know'],
    [`${'1,'.repeat(200)}1 * * * *`, 'longer than 300'],
  ])('%j is none: %s', async (text, why) => {
    await expect(parseSchedule(text, 'shop')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(why) });
  });

  it.each([
    ['every 6h', ['0 */6 * * *']],
    ['6h', ['0 */6 * * *']],
    ['@every 6h', ['0 */6 * * *']],
    ['6 hours', ['0 */6 * * *']],
    ['every 5 hours', ['0 */4 * * *']],
    ['every hour', ['0 * * * *']],
    ['hourly', ['0 * * * *']],
    ['daily', ['0 3 * * *']],
    ['nightly', ['0 3 * * *']],
    ['@Daily', ['0 3 * * *']],
    ['weekly', ['0 3 * * 0']],
    ['every month', ['0 3 1 * *']],
    ['24h', ['0 3 * * *']],
    ['48h', ['0 3 */2 * *']],
    ['7d', ['0 3 * * 0']],
    ['15m', ['*/15 * * * *']],
    ['every 45 minutes', ['*/30 * * * *']],
    ['90m', ['0 */2 * * *']],
    ['1m', ['* * * * *']],
    ['0h', ['0 * * * *']],
    ['3:30', ['30 3 * * *']],
    ['every day at 03:05', ['5 3 * * *']],
    ['0 */6 * * * *', ['*/6 * * * *', '0 */6 * * *']],
    ['5/15 * * * *', ['5-59/15 * * * *']],
    ['when I feel like it', []],
    ['5000 blorps', []],
    ["6h'; rm -rf /", []],
    ['0 0 * * * $(id)', ['0 0 * * *']],
  ])('%j gets the line to type', async (text, crons) => {
    expect(suggestSchedules(text).map(({ cron }) => cron)).toEqual(crons);
    for (const cron of crons) expect((await parseSchedule(cron, 'shop')).cron).toBe(cron);
    if (crons[0] !== undefined)
      await expect(parseSchedule(text, 'shop')).rejects.toMatchObject({
        hint: expect.stringMatching(/^Type: dokku pgbackup:schedule shop "/),
      });
  });

  it('never lets through what would end or split the line of a crontab, whatever is typed', async () => {
    const piece = fc.constantFrom(
      '*',
      '0',
      '7',
      '*/6',
      '1-5',
      'mon',
      '@daily',
      ' ',
      '\t',
      ';',
      '%',
      '\n',
      '\r',
      '\0',
      '"',
      '$',
      '/',
      ',',
      '-',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 14 }).map((parts) => parts.join('')),
        ),
        async (text) => {
          const schedule = await parseSchedule(text, 'shop').catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'usage' });
          });
          if (schedule) expect(schedule.cron).toMatch(/^(@[a-z]+|[0-9*/,-]+( [0-9*/,-]+){4})$/);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
