import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAge, formatBytes, formatCount, formatGap, formatTables } from '../../../src/domain/format.ts';

describe('figures for people', () => {
  it.each([
    [2.4, '2 ms without the database'],
    [null, 'not known'],
    [undefined, 'there was no database before'],
  ])('a gap of %s is told as: %s', (gap, text) => expect(formatGap(gap)).toBe(text));

  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1549, '1.5 kB'],
    [99_949, '99.9 kB'],
    [99_950, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [161_000_000, '161 MB'],
    [1e9, '1.0 GB'],
    [4.2e12, '4.2 TB'],
    [1e15, '1.0 PB'],
    [1e19, '10000 PB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it('bytes are never shown wrong by more than five percent', () => {
    const factors: Record<string, number> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, PB: 1e15 };
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        const [value, unit] = formatBytes(bytes).split(' ');
        const shown = Number(value) * (factors[unit ?? ''] ?? Number.NaN);
        expect(Math.abs(shown - bytes)).toBeLessThanOrEqual(bytes * 0.05);
        expect((value ?? '').length).toBeLessThanOrEqual(4);
      }),
    );
  });

  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1_234_567, '1,234,567'],
    [100_000, '100,000'],
  ])('%d is counted as %s', (count, text) => expect(formatCount(count)).toBe(text));

  it.each([
    [0, '0 tables'],
    [1, '1 table'],
    [2000, '2,000 tables'],
  ])('%d: %s', (count, text) => expect(formatTables(count)).toBe(text));

  const moment = new Date('2026-11-20T12:00:00Z');
  it.each([
    ['2026-11-20T12:00:00Z', '0 min'],
    ['2026-11-20T11:59:01Z', '0 min'],
    ['2026-11-20T11:01:00Z', '59 min'],
    ['2026-11-20T11:00:00Z', '1 h 0 min'],
    ['2026-11-20T08:40:00Z', '3 h 20 min'],
    ['2026-11-19T12:00:00Z', '1 d 0 h'],
    ['2026-10-01T09:00:00Z', '50 d 3 h'],
    // A clock that was put back (pitfall 24).
    ['2026-11-20T13:00:00Z', '0 min'],
  ])('what was at %s is %s old', (then, age) => expect(formatAge(moment, new Date(then))).toBe(age));
});
