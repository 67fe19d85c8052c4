import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSlots } from '../../../src/adapters/slots.ts';
import type { Clock, Wait } from '../../../src/ports.ts';

const clock: Clock = { now: () => new Date(), suffix: () => 'k3f9' };
let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'pgbackup-slots-'))));
afterEach(() => rmSync(root, { recursive: true }));

const said: string[] = [];
function patience(milliseconds: number, signal: AbortSignal = new AbortController().signal): Wait {
  return { until: new Date(Date.now() + milliseconds), signal, waiting: (reason) => void said.push(reason) };
}

const take = (count: number, wait: Wait): Promise<AsyncDisposable> => new FileSlots(root, clock).take(count, wait);

describe('the places of scheduled runs', () => {
  it('are as many as may run at a time, and whoever comes later waits for one', async () => {
    const [first, second] = [await take(2, patience(0)), await take(2, patience(0))];
    let third: AsyncDisposable | undefined;
    const waiting = take(2, patience(20_000)).then((place) => (third = place));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(third).toBeUndefined();
    expect(said).toEqual(['2 scheduled runs are under way on this host']);
    await first[Symbol.asyncDispose]();
    await waiting;
    await second[Symbol.asyncDispose]();
    await third?.[Symbol.asyncDispose]();
  });

  it('are given up when the time is over', async () => {
    await using _place = await take(1, patience(0));
    await expect(take(1, patience(300))).rejects.toMatchObject({ code: 'locked', hint: expect.stringContaining('max-concurrent') });
    await expect(Promise.all([take(1, patience(300)), take(1, patience(300))])).rejects.toMatchObject({ code: 'locked' });
  });

  it('are not waited for after Ctrl-C, by the one whose turn it is or another', async () => {
    await using _place = await take(1, patience(0));
    const stop = new AbortController();
    const both = Promise.allSettled([take(1, patience(60_000, stop.signal)), take(1, patience(60_000, stop.signal))]);
    setTimeout(() => stop.abort(new Error('stopped')), 300);
    for (const one of await both) expect(one).toMatchObject({ status: 'rejected', reason: { message: 'stopped' } });
  });
});
