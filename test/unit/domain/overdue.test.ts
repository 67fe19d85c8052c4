import { describe, expect, it } from 'vitest';
import { scheduleHealth } from '../../../src/domain/overdue.ts';
import { readSchedule } from '../../../src/domain/schedule.ts';

const sixHourly = readSchedule('0 */6 * * *');
const at = (time: string): Date => new Date(`2026-11-${time}:00Z`);

describe('the health of a schedule (pitfall 45)', () => {
  it.each([
    // now, newest backup, state
    ['20T05:00', undefined, 'ok'],
    ['20T06:00', undefined, 'late'],
    ['20T06:59', undefined, 'late'],
    ['20T07:00', undefined, 'never'],
    ['20T06:30', '20T06:00', 'ok'],
    ['20T11:59', '20T06:01', 'ok'],
    ['20T12:30', '20T06:01', 'late'],
    ['20T13:00', '20T06:01', 'overdue'],
    // One that was taken by hand is a backup all the same.
    ['20T13:00', '20T12:10', 'ok'],
    ['20T13:00', '20T11:10', 'overdue'],
    // It fails every time: the last time it was due is recent, the first one it missed is not.
    ['25T12:10', '20T06:01', 'overdue'],
    // From the future: the clock has been put back.
    ['20T07:00', '27T00:00', 'ok'],
  ])('at %s with the newest backup of %s is %s', (now, newest, state) => {
    const health = scheduleHealth(sixHourly, at('20T00:30'), newest === undefined ? undefined : at(newest), at(now), 'UTC', undefined);
    expect(health.state).toBe(state);
  });

  it('tells since when something is missing, when that counts, and what comes next', () => {
    expect(scheduleHealth(sixHourly, at('01T00:00'), at('20T06:01'), at('21T06:30'), 'UTC', undefined)).toEqual({
      state: 'overdue',
      missedSince: at('20T12:00'),
      overdueAt: at('20T13:00'),
      nextDue: at('21T12:00'),
    });
  });

  it('grants a tenth of the interval where that is more than an hour, or what is set, and the jitter', () => {
    const daily = readSchedule('@daily');
    const due = at('21T00:00').getTime();
    const grace = (set: number | undefined, jitter?: number): number =>
      ((scheduleHealth(daily, at('20T01:00'), undefined, at('21T00:01'), 'UTC', set, jitter).overdueAt?.getTime() ?? 0) - due) / 60_000;
    expect(grace(undefined)).toBe(144);
    expect(grace(600)).toBe(10);
    expect(grace(undefined, 1800)).toBe(174);
    expect(grace(0)).toBe(0);
  });
});
