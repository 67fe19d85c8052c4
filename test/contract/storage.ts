import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PgbackupError } from '../../src/domain/errors.ts';
import type { Storage } from '../../src/ports.ts';
import { chunksOf, failure, keysIn, noise } from '../tools/bytes.ts';

/** An empty storage, and what is to be done when it is no longer needed. */
export interface OpenedStorage extends AsyncDisposable {
  readonly storage: Storage;
}

async function read(storage: Storage, key: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await storage.get(key)) as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function code(work: Promise<unknown>): Promise<string> {
  const error = await failure(work);
  return error instanceof PgbackupError ? error.code : `not a PgbackupError: ${String(error)}`;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const text = (words: string): AsyncGenerator<Uint8Array> => chunksOf(Buffer.from(words));

/** Every promise of the port `Storage`, for each adapter and each decorator of one. */
export function describeStorageContract(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`the ${name} storage keeps the promises of the port`, () => {
    let opened: OpenedStorage;
    let storage: Storage;

    beforeEach(async () => {
      opened = await open();
      storage = opened.storage;
    });

    afterEach(async () => {
      await opened[Symbol.asyncDispose]();
    });

    it.each([
      ['0 bytes', 0],
      ['1 byte', 1],
      ['12 MB', 12_000_000],
    ])('an object of %s comes back as it went in', async (_, size) => {
      const bytes = noise(size);
      expect(await storage.put('h/s/id/archive.dump', chunksOf(bytes))).toMatchObject({ bytes: size });
      expect(sha256(await read(storage, 'h/s/id/archive.dump'))).toBe(sha256(bytes));
      expect(await storage.head('h/s/id/archive.dump')).toMatchObject({ key: 'h/s/id/archive.dump', size });
      expect(await keysIn(storage, '')).toEqual(['h/s/id/archive.dump']);
    });

    it('an empty chunk in the middle ends nothing', async () => {
      async function* body(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('one ');
        yield new Uint8Array();
        yield Buffer.from('two');
      }
      expect(await storage.put('k', body())).toMatchObject({ bytes: 7 });
      expect(await storage.readText('k')).toBe('one two');
    });

    it('text comes back as UTF-8', async () => {
      await storage.put('note', text('naïve ☃ 🐘\n'));
      expect(await storage.readText('note')).toBe('naïve ☃ 🐘\n');
    });

    it('a second put of a key replaces the first, whole, also by something shorter', async () => {
      await storage.put('a/k', chunksOf(noise(300_000)));
      await storage.put('a/k', text('short'));
      expect(await storage.readText('a/k')).toBe('short');
      expect(await storage.head('a/k')).toMatchObject({ size: 5 });
      expect(await keysIn(storage, '')).toEqual(['a/k']);
    });

    it('a key that is not there is not found, and head says so without an error', async () => {
      expect(await code(storage.get('a/nothing'))).toBe('not-found');
      expect(await code(storage.readText('a/nothing'))).toBe('not-found');
      expect(await storage.head('a/nothing')).toBeUndefined();
    });

    it('the beginning of other keys is no key itself', async () => {
      await storage.put('a/b/c', text('c'));
      expect(await code(storage.get('a/b'))).toBe('not-found');
      expect(await code(storage.readText('a/b'))).toBe('not-found');
      expect(await storage.head('a/b')).toBeUndefined();
    });

    it('deleting twice, or what was never there, is no error', async () => {
      await storage.put('a/k', text('x'));
      await storage.delete('a/k');
      await storage.delete('a/k');
      await storage.delete('never/was/here');
      expect(await keysIn(storage, '')).toEqual([]);
      expect(await code(storage.get('a/k'))).toBe('not-found');
    });

    it('deleting one object leaves its neighbours', async () => {
      for (const key of ['a/b/k', 'a/b/l', 'a/k']) await storage.put(key, text(key));
      await storage.delete('a/b/k');
      expect(await keysIn(storage, '')).toEqual(['a/b/l', 'a/k']);
    });

    it('a prefix lists what begins with it and nothing else, a/b/ not what lies in a/bc/', async () => {
      for (const key of ['a/b/1', 'a/b/2', 'a/bc/3', 'ab/4', 'b/a/b/5']) await storage.put(key, text(key));
      expect(await keysIn(storage, 'a/b/')).toEqual(['a/b/1', 'a/b/2']);
      expect(await keysIn(storage, 'a/b')).toEqual(['a/b/1', 'a/b/2', 'a/bc/3']);
      expect(await keysIn(storage, 'a/b/1')).toEqual(['a/b/1']);
      expect(await keysIn(storage, 'a')).toEqual(['a/b/1', 'a/b/2', 'a/bc/3', 'ab/4']);
      expect(await keysIn(storage, 'nothing/')).toEqual([]);
    });

    it.each([
      'a b/c d',
      'it\'s/"so"',
      'naïve/☃',
      'a+b%20c/?#&=',
      '-dash/--x',
      '.hidden/.k',
      '$HOME/`x`/*',
      'a\\b/c',
      'UPPER/lower',
      'x'.repeat(200),
    ])('the odd key %s is kept as it is', async (key) => {
      await storage.put(key, text(key));
      expect(await storage.readText(key)).toBe(key);
      expect(await keysIn(storage, '')).toEqual([key]);
      await storage.delete(key);
      expect(await keysIn(storage, '')).toEqual([]);
    });

    it('a source that breaks midway leaves nothing, and its own error comes through (pitfall 1)', async () => {
      const broken = new PgbackupError('verification', 'pg_restore does not believe it');
      async function* body(): AsyncGenerator<Uint8Array> {
        yield noise(2_000_000);
        throw broken;
      }
      expect(await failure(storage.put('h/s/id/archive.dump', body()))).toBe(broken);
      expect(await keysIn(storage, '')).toEqual([]);
      expect(await storage.head('h/s/id/archive.dump')).toBeUndefined();
    });

    it('a source that breaks before its first byte leaves nothing', async () => {
      const broken = new Error('at once');
      // eslint-disable-next-line require-yield
      async function* body(): AsyncGenerator<Uint8Array> {
        throw broken;
      }
      expect(await failure(storage.put('k', body()))).toBe(broken);
      expect(await keysIn(storage, '')).toEqual([]);
    });

    it('a source that breaks while it replaces an object leaves the old one as it was', async () => {
      await storage.put('k', text('the old one'));
      async function* body(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('the n');
        throw new Error('broken');
      }
      await failure(storage.put('k', body()));
      expect(await storage.readText('k')).toBe('the old one');
    });

    it('a signal midway stops the put, which leaves nothing and closes its source', async () => {
      const stop = new AbortController();
      let closed = false;
      async function* body(): AsyncGenerator<Uint8Array> {
        try {
          yield noise(100_000);
          stop.abort();
          for (;;) yield noise(100_000);
        } finally {
          closed = true;
        }
      }
      expect(await failure(storage.put('k', body(), { signal: stop.signal }))).toBe(stop.signal.reason);
      expect(closed).toBe(true);
      expect(await keysIn(storage, '')).toEqual([]);
    });

    it('a signal after the last byte but before the object is whole stops the put, too', async () => {
      const stop = new AbortController();
      async function* body(): AsyncGenerator<Uint8Array> {
        yield noise(1000);
        stop.abort();
      }
      expect(await failure(storage.put('k', body(), { signal: stop.signal }))).toBe(stop.signal.reason);
      expect(await keysIn(storage, '')).toEqual([]);
    });

    it('while an object is being written nobody sees it', async () => {
      const seen: string[][] = [];
      async function* body(): AsyncGenerator<Uint8Array> {
        yield noise(500_000);
        seen.push(await keysIn(storage, ''), await keysIn(storage, 'h/'));
        expect(await storage.head('h/k')).toBeUndefined();
        yield noise(1);
      }
      await storage.put('h/k', body());
      expect(seen).toEqual([[], []]);
      expect(await keysIn(storage, '')).toEqual(['h/k']);
    });

    it('two puts of different keys at the same time do not touch each other, even in one folder', async () => {
      const [one, two] = [noise(3_000_000), noise(2_000_000).reverse()];
      await Promise.all([storage.put('h/one', chunksOf(one)), storage.put('h/two', chunksOf(two, 1000))]);
      expect(sha256(await read(storage, 'h/one'))).toBe(sha256(one));
      expect(sha256(await read(storage, 'h/two'))).toBe(sha256(two));
    });

    it('a put that fails does not take one beside it along', async () => {
      let release = (): void => {};
      const failed = new Promise<void>((resolve) => (release = resolve));
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield noise(1000);
        throw new Error('broken');
      }
      async function* good(): AsyncGenerator<Uint8Array> {
        yield noise(1000);
        await failed;
        yield noise(1000);
      }
      const putting = storage.put('h/s/good', good());
      await failure(storage.put('h/s/broken', broken()));
      release();
      expect(await putting).toMatchObject({ bytes: 2000 });
      expect(await keysIn(storage, '')).toEqual(['h/s/good']);
    });

    it('sweeping takes away no object', async () => {
      await storage.put('h/s/k', text('k'));
      await storage.sweep('h/s/');
      await storage.sweep('');
      expect(await keysIn(storage, '')).toEqual(['h/s/k']);
    });
  });
}
