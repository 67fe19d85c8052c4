import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { inspectSource } from '../../../src/adapters/source/inspect-source.ts';
import { openSource } from '../../../src/adapters/source/open-source.ts';
import type { InspectedSource } from '../../../src/domain/source.ts';
import { collectGarbage } from '../../tools/memory.ts';
import { deps, dump, failure, fileOf, fixture } from './helpers.ts';
import { tarOf } from './tar-of.ts';

type Shape = Pick<InspectedSource, 'wrappings' | 'member'>;

async function read(path: string, shape?: Shape): Promise<Buffer> {
  return Buffer.concat(await openSource({ path }, shape ?? (await inspectSource({ path }, deps)), deps).toArray());
}

const plain = dump('plain-18.sql');

describe('openSource gives the bytes of the dump', () => {
  it.each(['plain-18.sql', 'plain-18.sql.gz', 'plain-18.sql.zst', 'plain-18.sql.xz', 'plain-18.sql.bz2', 'plain.tgz'])(
    'from %s',
    async (name) => {
      expect((await read(fixture(`dumps/${name}`))).equals(plain)).toBe(true);
    },
  );

  it("from dokku-postgres's archive", async () => {
    const path = fixture('dokku-postgres-1.48.0-postgres-18.tgz');
    const tar = gunzipSync(readFileSync(path));
    const at = tar.indexOf('PGDMP');
    const bytes = await read(path);
    expect(bytes.length).toBe(8106);
    expect(bytes.equals(tar.subarray(at, at + 8106))).toBe(true);
  });

  it('from a tar archive of pg_dump, whole', async () => {
    expect((await read(fixture('dumps/tar.tar'))).equals(dump('tar.tar'))).toBe(true);
  });

  it('from a file of several gzip members', async () => {
    const path = fileOf(Buffer.concat([gzipSync(plain.subarray(0, 999)), gzipSync(plain.subarray(999))]));
    expect((await read(path)).equals(plain)).toBe(true);
  });

  it('from a tar with other files around it', async () => {
    const path = fileOf(await tarOf({ 'a.txt': 'hello', 'shop.sql': plain, 'z.txt': 'x'.repeat(100_000) }));
    expect((await read(path)).equals(plain)).toBe(true);
  });
});

describe('openSource never ends quietly', () => {
  const shapes: readonly (readonly [string, Buffer, Shape])[] = [
    ['gzip', gzipSync(plain), { wrappings: ['gzip'], member: undefined }],
    ['zstd', zstdCompressSync(plain), { wrappings: ['zstd'], member: undefined }],
    [
      'dokku-postgres',
      readFileSync(fixture('dokku-postgres-1.48.0-postgres-18.tgz')),
      { wrappings: ['gzip', 'tar'], member: 'backup/export' },
    ],
  ];

  it.each(shapes)('where %s is cut off, wherever that is', async (_name, bytes, shape) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), async (length) => {
        const error = await failure(() => read(fileOf(bytes.subarray(0, length)), shape));
        expect(error.code).toBe('damaged');
      }),
      { numRuns: 40, examples: [[0], [bytes.length - 1], [bytes.length - 8], [20]] },
    );
  });

  it.each(['xz', 'bz2'] as const)('where a .%s is cut off', async (ending) => {
    const bytes = dump(`plain-18.sql.${ending}`);
    for (const length of [bytes.length - 1, bytes.length >> 1, 20]) {
      const wrapping = ending === 'xz' ? 'xz' : 'bzip2';
      const error = await failure(() => read(fileOf(bytes.subarray(0, length)), { wrappings: [wrapping], member: undefined }));
      expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining(`(${wrapping})`) });
    }
  });

  it('where a bit of a gzip file was flipped', async () => {
    const bytes = gzipSync(plain);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 6) ^ 1, bytes.length - 6);
    const error = await failure(() => read(fileOf(bytes), { wrappings: ['gzip'], member: undefined }));
    expect(error.message).toMatch(/incorrect data check/);
  });

  it('where the outer wrapping breaks while a program reads the inner one', async () => {
    const bytes = gzipSync(dump('plain-18.sql.xz')).subarray(0, -4);
    const error = await failure(() => read(fileOf(bytes), { wrappings: ['gzip', 'xz'], member: undefined }));
    expect(error.code).toBe('damaged');
  });

  it('where rubbish follows a zstd frame, which Node itself passes over', async () => {
    const path = fileOf(Buffer.concat([zstdCompressSync(plain), Buffer.from('rubbish')]));
    expect(await failure(() => read(path))).toMatchObject({ code: 'damaged', message: expect.stringContaining('zstd') });
  });

  it('where a second zstd frame follows, which Node before 24.22 passes over, and later ones read', async () => {
    const path = fileOf(Buffer.concat([zstdCompressSync(plain.subarray(0, 999)), zstdCompressSync(plain.subarray(999))]));
    const bytes = await read(path).catch((error: unknown) => error);
    if (bytes instanceof Buffer) expect(bytes.equals(plain)).toBe(true);
    else expect(bytes).toMatchObject({ code: 'damaged', message: expect.stringContaining('zstd') });
  });

  it('where a tar archive ends in the middle of its dump', async () => {
    const tar = await tarOf({ 'shop.sql': plain });
    const path = fileOf(tar.subarray(0, 4096));
    const error = await failure(() => read(path, { wrappings: ['tar'], member: 'shop.sql' }));
    expect(error.message).toMatch(/Unexpected end of data/);
  });

  it('where a tar archive holds two dumps', async () => {
    const path = fileOf(await tarOf({ 'a.sql': plain, 'b.sql': plain }));
    expect(await failure(() => read(path))).toMatchObject({
      code: 'refused',
      message: expect.stringContaining('more than one dump: a.sql and b.sql'),
    });
  });

  it('where the file is gone since', async () => {
    expect(await failure(() => read('/nonexistent/x', { wrappings: ['gzip'], member: undefined }))).toMatchObject({ code: 'not-found' });
  });

  it.each([[[]], [['gzip']], [['gzip', 'tar']]] as const)('when it is interrupted (%j)', async (wrappings) => {
    const path = fileOf(gzipSync(plain));
    const before = openSource({ path }, { wrappings, member: 'x' }, deps, AbortSignal.abort());
    expect((await failure(() => before.toArray())).code).toBe('interrupted');
    const stop = new AbortController();
    const during = openSource({ path }, { wrappings: [], member: undefined }, deps, stop.signal);
    stop.abort();
    expect((await failure(() => during.toArray())).code).toBe('interrupted');
  });
});

it('openSource reads in constant memory', async () => {
  const block = Buffer.alloc(1024 * 1024, 'pgbackup\n');
  const many = Buffer.concat(Array.from({ length: 200 }, () => block));
  const path = fileOf(gzipSync(many, { level: 1 }));
  await collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  let bytes = 0;
  let chunks = 0;
  for await (const chunk of openSource({ path }, { wrappings: ['gzip'], member: undefined }, deps) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks += 1;
    if (chunks % 10 !== 0) continue;
    await collectGarbage();
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  expect(bytes).toBe(many.length);
  expect(chunks).toBeGreaterThan(100);
  expect(most).toBeLessThan(100 * 1024 * 1024);
});
