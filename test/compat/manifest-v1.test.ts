/**
 * Every manifest that a release of this program has written must be read by every later one, for ever: a backup
 * is worth what a restore years later makes of it, on a host that has nothing but the storage. So the files in
 * fixtures/ are real backups, archive and manifest, as they were stored, and are never changed, regenerated or
 * removed. A new shape of manifest gets a new folder, and a new version of the manifest a test like this one.
 *
 * They were made by `pgbackup:run --label level=1200 --note "before the migration"` from a database with two tables
 * (562 rows in public.users), one large object, pgcrypto, a setting, a comment and a grant of its own:
 * - v1-15-zstd-around: PostgreSQL 15, whose pg_dump knows no zstd, so that zstd is around the archive;
 * - v1-18-zstd-native: PostgreSQL 18, whose pg_dump compresses by itself.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LocalStorage } from '../../src/adapters/storage/local.ts';
import { archiveKey, type CatalogEntry } from '../../src/app/catalog.ts';
import { downloadBackup } from '../../src/app/download.ts';
import { parseManifest } from '../../src/domain/manifest.ts';
import { planRestore } from '../../src/domain/restore-plan.ts';
import { World } from '../twins/world.ts';
import { fileURLToPath } from 'node:url';
import { PassThrough } from 'node:stream';

const fixtures = new URL('fixtures/', import.meta.url);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

interface Shape {
  readonly folder: string;
  readonly major: number;
  readonly file: string;
  readonly wrapping: 'zstd' | null;
  /** Of the manifest as it lies here: whoever changes one, changes history. */
  readonly manifestSha256: string;
}

const shapes: readonly Shape[] = [
  {
    folder: 'v1-15-zstd-around',
    major: 15,
    file: 'archive.dump.zst',
    wrapping: 'zstd',
    manifestSha256: 'b1321f8968788f7f18054a4f745756099e4c456d4fd2d282032fef009e3e1405',
  },
  {
    folder: 'v1-18-zstd-native',
    major: 18,
    file: 'archive.dump',
    wrapping: null,
    manifestSha256: 'd2352d62d7b790d5af91c7656c23450b8c026c8153f7a22ddf5d890c2a521d79',
  },
];

it('no fixture is left untested', () => {
  expect(readdirSync(fixtures).toSorted()).toEqual(shapes.map(({ folder }) => folder));
});

describe.each(shapes)('a backup of the shape $folder', ({ folder, major, file, wrapping, manifestSha256 }) => {
  const text = readFileSync(new URL(`${folder}/manifest.json`, fixtures), 'utf8');
  const manifest = parseManifest(text, folder);
  const stored = readFileSync(new URL(`${folder}/${file}`, fixtures));
  const storage = new LocalStorage(fileURLToPath(fixtures));
  const entry: CatalogEntry = { manifest, storage, copies: [storage], folder: `${folder}/` };

  it('has the manifest that was released', () => expect(sha256(Buffer.from(text))).toBe(manifestSha256));

  it('is read with all that was recorded', () => {
    expect(manifest).toMatchObject({
      manifestVersion: 1,
      service: { name: `unitcompat${major}`, image: `pgbackup-lab/postgres:${major}` },
      server: { major },
      database: {
        name: `unitcompat${major}`,
        owner: 'postgres',
        encoding: 'UTF8',
        comment: "the shop's own",
        settings: [{ role: null, name: 'search_path', value: 'public, "Odd schema"' }],
        grants: expect.arrayContaining([{ grantee: 'reader_unit', privilege: 'CONNECT', grantable: false }]),
      },
      extensions: expect.arrayContaining([expect.objectContaining({ name: 'pgcrypto' })]),
      roles: ['postgres', 'reader_unit'],
      apps: [{ name: `unitapp${major}`, sha: '273c289c47047bea84ff9cd1ab2d4334ea74b838', shaSource: 'config', deployBranch: 'main' }],
      labels: { level: '1200' },
      note: 'before the migration',
      schemas: [],
      archive: { file, format: 'custom', wrapping, encryption: null },
      rows: [
        { schema: 'Odd schema', table: 'táble "q"', rows: 0 },
        { schema: 'public', table: 'users', rows: 562 },
      ],
      largeObjects: 1,
    });
  });

  it('has the archive that its manifest describes: stored, and as it left pg_dump', () => {
    expect(archiveKey(entry)).toBe(`${folder}/${file}`);
    expect([stored.length, sha256(stored)]).toEqual([manifest.archive.storedBytes, manifest.archive.storedSha256]);
    const plain = wrapping === 'zstd' ? zstdDecompressSync(stored) : stored;
    expect(plain.subarray(0, 5).toString()).toBe('PGDMP');
    // Around the archive zstd ran in the sidecar: what left it is what was stored.
    expect(manifest.archive.plainSha256).toBe(manifest.archive.storedSha256);
  });

  it('is downloaded and found whole', async () => {
    const sink = new PassThrough();
    const read = sink.toArray();
    await downloadBackup(new World().boot().ports, entry, sink);
    sink.end();
    expect(Buffer.concat(await read).equals(stored)).toBe(true);
  });

  it('may be restored into a server of its own major version, and into a newer one', () => {
    const facts = {
      service: 'shop',
      database: 'shop',
      source: { kind: 'backup', manifest } as const,
      serverRoles: ['postgres', 'reader_unit'],
      serverExtensions: ['pgcrypto', 'plpgsql'],
      live: undefined,
      freeBytes: 1e12,
      apps: [],
      preparedTransactions: [],
      logicalSlots: [],
      subscriptions: [],
      previous: undefined,
      now: new Date(),
    };
    expect(planRestore({ ...facts, serverMajor: major }).refusals).toEqual([]);
    expect(planRestore({ ...facts, serverMajor: 19 }).refusals).toEqual([]);
    expect(planRestore({ ...facts, serverMajor: major - 1 }).refusals).toHaveLength(1);
  });
});
