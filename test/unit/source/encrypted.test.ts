import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { AgeEncryption } from '../../../src/adapters/crypto/age.ts';
import { FileSources } from '../../../src/adapters/source/sources.ts';
import { FolderSpools } from '../../../src/adapters/spool.ts';
import { noKeys } from '../../../src/app/keys.ts';
import type { Keyring, Origin } from '../../../src/ports.ts';
import { folder, keyPair, keyring, program, seal } from '../crypto/helpers.ts';
import { dump, failure, fileOf, fixture } from './helpers.ts';

const sources = new FileSources(new AgeEncryption(), { open: (name) => new FolderSpools(folder()).open(name) });
const key = keyPair();
const mine = keyring(key.identity);
const plain = dump('plain-18.sql');
const custom = dump('custom-18.dump');
const withPassphrase: Keyring = { identities: [], passphrase: 's3cret-pass' };

/** The dump in a source, opened as a restore does. */
async function read(origin: Origin, keys: Keyring): Promise<Buffer> {
  const inspected = await sources.inspect(origin, keys);
  return Buffer.concat(await sources.open(origin, inspected, 18).toArray());
}

/** What a storage gives: bytes that can be read again, and no path. */
function object(bytes: Buffer, opened: { count: number } = { count: 0 }): Origin {
  return {
    label: 's3://bucket/shop',
    open: async () => {
      opened.count += 1;
      return Readable.from([bytes.subarray(0, 70_000), bytes.subarray(70_000)], { objectMode: false });
    },
  };
}

describe('an encrypted source', () => {
  it.each([
    ['age', async () => seal(key.recipient, custom), ['age']],
    ['age in ASCII armor', async () => program('age', ['-a', '-r', key.recipient], custom), ['age']],
    ['gzip in age', async () => seal(key.recipient, gzipSync(custom)), ['age', 'gzip']],
    ['age in gzip', async () => gzipSync(await seal(key.recipient, custom)), ['gzip', 'age']],
    ['age in age in gzip', async () => gzipSync(await seal(key.recipient, await seal(key.recipient, custom))), ['gzip', 'age', 'age']],
  ] as const)('is opened: %s', async (_, make, wrappings) => {
    const bytes = await make();
    const path = fileOf(bytes);
    expect(await sources.inspect({ path }, mine)).toEqual({
      format: 'custom',
      wrappings,
      member: undefined,
      size: bytes.length,
      bare: false,
    });
    expect((await read({ path }, mine)).equals(custom)).toBe(true);
  });

  it("is opened: dokku-postgres's .tgz.gpg", async () => {
    const path = fixture('dokku-postgres-1.48.0-postgres-18.tgz.gpg');
    expect(await sources.inspect({ path }, withPassphrase)).toMatchObject({
      format: 'custom',
      wrappings: ['gpg', 'gzip', 'tar'],
      member: 'backup/export',
    });
    const tar = gunzipSync(readFileSync(fixture('dokku-postgres-1.48.0-postgres-18.tgz')));
    const at = tar.indexOf('PGDMP');
    expect((await read({ path }, withPassphrase)).subarray(0, 11).equals(tar.subarray(at, at + 11))).toBe(true);
  });

  it('is plain SQL that is read to its end, and cleared of what it may not hold', async () => {
    const path = fileOf(await seal(key.recipient, plain));
    const inspected = await sources.inspect({ path }, mine);
    expect(await sources.inspectSql({ path }, inspected)).toMatchObject({ complete: true, fromPgDump: true });
  });

  it.each([
    ['age', async () => seal(key.recipient, custom), mine],
    ['gpg', async () => readFileSync(fixture('dokku-postgres-1.48.0-postgres-18.tgz.gpg')), withPassphrase],
  ] as const)('is damaged where %s is cut off', async (_, make, keys) => {
    const bytes = await make();
    const whole = fileOf(bytes);
    const origin = { path: fileOf(bytes.subarray(0, -1)) };
    const inspected = await sources.inspect({ path: whole }, keys);
    const error = await failure(() => sources.open(origin, inspected, 18).toArray());
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining(origin.path) });
  });

  it('is refused without its key, under the name it was given by', async () => {
    const path = fileOf(await seal(key.recipient, custom));
    expect(await failure(() => sources.inspect({ path }, noKeys))).toMatchObject({
      code: 'refused',
      message: `${path} is encrypted (age) to one recipient, and no identity was given.`,
      hint: expect.stringContaining('--identity'),
    });
    expect(
      await failure(async () => sources.inspect(object(await seal(key.recipient, custom)), keyring(keyPair().identity))),
    ).toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/^s3:\/\/bucket\/shop is encrypted/),
    });
  });

  it('shows its keys to nobody', async () => {
    const path = fileOf(await seal(key.recipient, custom));
    const inspected = await sources.inspect({ path }, mine);
    expect(JSON.stringify(inspected)).not.toContain('SECRET');
    expect(Object.values(inspected)).not.toContain(mine);
  });
});

describe('a source that is no file', () => {
  it('is found out about and opened like one, but cannot be mounted', async () => {
    for (const [bytes, wrappings] of [
      [custom, []],
      [gzipSync(custom), ['gzip']],
      [await seal(key.recipient, custom), ['age']],
    ] as const) {
      const opened = { count: 0 };
      const origin = object(bytes, opened);
      expect(await sources.inspect(origin, mine)).toEqual({ format: 'custom', wrappings, member: undefined, size: undefined, bare: false });
      expect((await read(origin, mine)).equals(custom)).toBe(true);
      expect(opened.count).toBeGreaterThan(1);
    }
  });

  it('has its SHA-256, and its failures are named', async () => {
    expect(await sources.hash(object(plain))).toEqual(await sources.hash({ path: fixture('dumps/plain-18.sql') }));
    const broken: Origin = { label: 's3://bucket/gone', open: () => createReadStream('/nonexistent/object') };
    expect(await failure(() => sources.hash(broken))).toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('s3://bucket/gone'),
    });
    expect(await failure(() => sources.inspect(broken, noKeys))).toMatchObject({ code: 'not-found' });
  });

  it('is let go of as soon as it is known what it is', async () => {
    const streams: Readable[] = [];
    const origin: Origin = {
      label: 'object',
      open: () => {
        const stream = Readable.from([gzipSync(plain), Buffer.alloc(1e6)], { objectMode: false });
        streams.push(stream);
        return stream;
      },
    };
    await sources.inspect(origin, noKeys);
    await expect.poll(() => streams.map((stream) => stream.destroyed)).toEqual([true, true]);
  });
});

it('no keyring of gpg is left in the spool', async () => {
  const root = folder();
  const own = new FileSources(new AgeEncryption(), new FolderSpools(root));
  await own.inspect({ path: fixture('dokku-postgres-1.48.0-postgres-18.tgz.gpg') }, withPassphrase);
  expect(readdirSync(root)).toEqual([]);
});
