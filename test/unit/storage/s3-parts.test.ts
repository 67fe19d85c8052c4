import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cut } from '../../../src/adapters/storage/s3/cut.ts';
import { planParts } from '../../../src/adapters/storage/s3/parts.ts';
import { s3Limits } from '../../../src/domain/s3-config.ts';
import { failure } from '../../tools/bytes.ts';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

describe('the plan of an upload', () => {
  it.each<[string, number | undefined, number, number, number]>([
    ['nothing is known', undefined, 10_000, 8, 5],
    ['1 GiB', GiB, 10_000, 8, 5],
    ['20 GiB', 20 * GiB, 10_000, 9, 5],
    ['100 GiB', 100 * GiB, 10_000, 41, 2],
    ['1 TiB: no longer four times', 1024 * GiB, 10_000, 132, 1],
    ['10 GiB where 1,000 parts are the limit (pitfall 13)', 10 * GiB, 1000, 41, 2],
    ['40 GiB where 1,000 parts are the limit', 40 * GiB, 1000, 52, 1],
  ])('%s', (_, expected, maxParts, mebibytes, buffers) => {
    expect(planParts(expected, { maxParts, partSize: null })).toEqual({
      partSize: mebibytes * MiB,
      buffers,
      capacity: mebibytes * MiB * maxParts,
    });
  });

  it('the size that was set is taken', () => {
    expect(planParts(100 * GiB, { maxParts: 1000, partSize: 64 * MiB })).toMatchObject({ partSize: 64 * MiB, buffers: 1 });
  });

  it('always fits the limits of S3, holds what is expected with a quarter to spare, and stays small in memory', () => {
    const sizes = fc.oneof(fc.integer({ min: 0, max: 64 * MiB }), fc.integer({ min: 0, max: 780 * GiB }));
    fc.assert(
      fc.property(sizes, fc.constantFrom(1000, 10_000), (expected, maxParts) => {
        const { partSize, buffers, capacity } = planParts(expected, { maxParts, partSize: null });
        expect(partSize).toBeGreaterThanOrEqual(s3Limits.minPart);
        expect(partSize).toBeLessThanOrEqual(s3Limits.maxPart);
        expect(partSize % MiB).toBe(0);
        expect(capacity).toBeGreaterThanOrEqual(Math.floor(expected * 1.25));
        expect(buffers).toBeGreaterThanOrEqual(1);
        // Beyond that only where the provider's limit leaves no choice.
        if ((expected * 1.25) / maxParts <= 48 * MiB) expect(partSize * buffers).toBeLessThanOrEqual(96 * MiB);
      }),
    );
  });
});

describe('a body cut into parts', () => {
  const signal = new AbortController().signal;

  it('gives the same bytes in parts of one size, with their sums, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 })), fc.integer({ min: 1, max: 50 }), async (chunks, partSize) => {
        const parts: Buffer[] = [];
        const lasts: boolean[] = [];
        for await (const part of cut(from(chunks), { partSize, buffers: 2 }, signal)) {
          expect(part.number).toBe(parts.length + 1);
          expect(part.sha256).toBe(createHash('sha256').update(part.bytes).digest('hex'));
          expect(part.md5).toBe(createHash('md5').update(part.bytes).digest('hex'));
          parts.push(Buffer.from(part.bytes));
          lasts.push(part.last);
          part.release();
        }
        expect(Buffer.concat(parts)).toEqual(Buffer.concat(chunks));
        expect(lasts).toEqual(parts.map((_, index) => index === parts.length - 1));
        expect(parts.slice(0, -1).every((part) => part.length === partSize)).toBe(true);
        // An empty body is one empty part, and no other part is ever empty.
        expect(parts.every((part) => part.length > 0) || parts.length === 1).toBe(true);
      }),
    );
  });

  it('waits for a buffer to come back, and no longer than the signal lets it', async () => {
    const stop = new AbortController();
    const parts = cut(from([Buffer.alloc(30)]), { partSize: 10, buffers: 2 }, stop.signal);
    const first = await parts.next();
    await parts.next();
    const third = parts.next();
    expect(await Promise.race([third, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).toBe('waits');
    if (!first.done) first.value.release();
    expect((await third).value).toMatchObject({ number: 3, last: true });

    const stuck = cut(from([Buffer.alloc(30)]), { partSize: 10, buffers: 1 }, stop.signal);
    await stuck.next();
    const waiting = failure(stuck.next());
    stop.abort(new Error('stopped'));
    expect(await waiting).toBe(stop.signal.reason);
  });

  it('lets the error of the body through', async () => {
    const broken = new Error('broken');
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(3);
      throw broken;
    }
    expect(await failure(cut(body(), { partSize: 10, buffers: 1 }, signal).next())).toBe(broken);
  });
});

async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
