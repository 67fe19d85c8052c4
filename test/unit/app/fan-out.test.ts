import { describe, expect, it } from 'vitest';
import { fanOut } from '../../../src/app/fan-out.ts';
import { chunksOf, failure, noise } from '../../tools/bytes.ts';

async function all(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const bytes = noise(500_000);

describe('one stream for several readers', () => {
  it('gives each of them every byte', async () => {
    const results = await fanOut(chunksOf(bytes), [all, all, all]);
    for (const result of results) expect(result).toEqual({ status: 'fulfilled', value: bytes });
  });

  it('gives nothing but an end where there is nothing', async () => {
    expect(await fanOut(chunksOf(Buffer.alloc(0)), [all])).toEqual([{ status: 'fulfilled', value: Buffer.alloc(0) }]);
  });

  it.each(['at once', 'in the middle', 'at its end'])('a reader that fails %s does not hurt the others', async (when) => {
    const broken = async (body: AsyncIterable<Uint8Array>): Promise<Buffer> => {
      if (when === 'at once') throw new Error('broken');
      for await (const chunk of body) if (when === 'in the middle' && chunk.length > 0) throw new Error('broken');
      throw new Error('broken');
    };
    const [one, two, three] = await fanOut(chunksOf(bytes), [all, broken, all]);
    expect(one).toEqual({ status: 'fulfilled', value: bytes });
    expect(two).toMatchObject({ status: 'rejected', reason: { message: 'broken' } });
    expect(three).toEqual({ status: 'fulfilled', value: bytes });
  });

  it('closes the source once nobody reads any more', async () => {
    let closed = false;
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          given += 1;
          yield Buffer.from('x');
        }
      } finally {
        closed = true;
      }
    }
    const twice = async (body: AsyncIterable<Uint8Array>): Promise<void> => {
      let seen = 0;
      for await (const _ of body) if ((seen += 1) === 2) throw new Error('enough');
    };
    const results = await fanOut(endless(), [twice, twice]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(closed).toBe(true);
    expect(given).toBeLessThan(6);
  });

  it("shows every reader the source's error, and throws it, so that none takes the stream for ended", async () => {
    const broken = new Error('pg_dump failed');
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('one');
      throw broken;
    }
    const seen: unknown[] = [];
    const reader = async (stream: AsyncIterable<Uint8Array>): Promise<void> => {
      seen.push(await failure(all(stream)));
    };
    expect(await failure(fanOut(body(), [reader, reader]))).toBe(broken);
    expect(seen).toEqual([broken, broken]);
  });

  it('holds no more than a chunk for a slow reader', async () => {
    let given = 0;
    let taken = 0;
    let most = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for (; given < 50; given += 1) yield Buffer.from('x');
    }
    const slow = async (body: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const _ of body) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        taken += 1;
        most = Math.max(most, given - taken);
      }
    };
    await fanOut<unknown>(counted(), [all, slow]);
    expect(taken).toBe(50);
    expect(most).toBeLessThanOrEqual(2);
  });
});
