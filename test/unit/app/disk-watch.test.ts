import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DiskWatch } from '../../../src/app/disk-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const MiB = 1024 ** 2;

/** A disk with so much free, in MiB; a number that is missing is a disk that cannot be asked. */
function disk(...free: (number | undefined)[]): Parameters<typeof DiskWatch.begin>[0] {
  const left = [...free];
  const next = (): number | undefined => (left.length > 1 ? left.shift() : left[0]);
  return {
    id: 'host-a',
    timeZone: 'UTC',
    processors: 2,
    freeBytes: async () => {
      const now = next();
      if (now === undefined) throw new Error('cannot be asked');
      return now * MiB;
    },
  };
}

it.each([
  ['much to begin with', [10_000, 513], false],
  ['much to begin with, and less than 512 MiB then', [10_000, 511], true],
  ['little to begin with', [400, 101], false],
  ['little to begin with, and less than a quarter of it then', [400, 200, 99], true],
  ['one that cannot be asked at times', [400, undefined, 101], false],
])('a disk with %s', async (_what, free, fires) => {
  using watch = await DiskWatch.begin(disk(...free), '/data', 'shop');
  await vi.advanceTimersByTimeAsync(2000);
  expect(watch.signal.aborted).toBe(fires);
  if (fires) expect(watch.signal.reason).toMatchObject({ code: 'refused', message: expect.stringContaining('disk of service shop') });
});

it('is not looked at any more afterwards', async () => {
  const watch = await DiskWatch.begin(disk(10_000, 1), '/data', 'shop');
  watch[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(2000);
  expect(watch.signal.aborted).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});
