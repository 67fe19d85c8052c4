import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import type { CatalogEntry } from '../../../src/app/catalog.ts';
import { downloadBackup } from '../../../src/app/download.ts';
import { chunksOf, failure, noise } from '../../tools/bytes.ts';
import { exampleManifest } from '../../twins/manifest.ts';
import { World } from '../../twins/world.ts';
import { age, keyPair, keyring, seal } from '../crypto/helpers.ts';

const key = keyPair();
const plain = noise(300_000);
const { ports } = new World().boot();

/** A backup of these bytes; `damage` is done to them after their checksum was taken. */
async function backupOf(bytes: Buffer, file: string, damage = (whole: Buffer) => whole): Promise<CatalogEntry> {
  const manifest = exampleManifest();
  const encryption = file.endsWith('.age') ? { scheme: 'age' as const, recipients: [key.recipient], passphrase: false } : null;
  const archive = {
    ...manifest.archive,
    file,
    encryption,
    storedBytes: bytes.length,
    storedSha256: createHash('sha256').update(bytes).digest('hex'),
  };
  const storage = new MemoryStorage();
  await storage.put(`shop/${file}`, chunksOf(damage(bytes)));
  await storage.put('shop/manifest.json', chunksOf(Buffer.from('{}')));
  return { manifest: { ...manifest, archive }, storage, copies: [storage], folder: 'shop/' };
}

async function downloaded(entry: CatalogEntry, ...identities: string[]): Promise<Buffer> {
  const sink = new PassThrough();
  const received = sink.toArray();
  await downloadBackup(ports, entry, sink, identities.length === 0 ? undefined : { encryption: age, keys: keyring(...identities) });
  sink.end();
  return Buffer.concat(await received);
}

describe('downloadBackup', () => {
  it('writes an encrypted archive as it lies, or as it was before, which is asked for', async () => {
    const sealed = await seal(key.recipient, plain);
    const entry = await backupOf(sealed, 'archive.dump.age');
    expect((await downloaded(entry)).equals(sealed)).toBe(true);
    expect((await downloaded(entry, key.identity)).equals(plain)).toBe(true);
  });

  it('writes one that is not encrypted as it lies, keys or not', async () => {
    const entry = await backupOf(plain, 'archive.dump');
    expect((await downloaded(entry, key.identity)).equals(plain)).toBe(true);
  });

  it('refuses a wrong key before the first byte', async () => {
    const entry = await backupOf(await seal(key.recipient, plain), 'archive.dump.age');
    const sink = new PassThrough();
    const error = await failure(downloadBackup(ports, entry, sink, { encryption: age, keys: keyring(keyPair().identity) }));
    expect(error).toMatchObject({ code: 'refused', message: expect.stringMatching(/^Backup shop-\S+ is encrypted/) });
    expect(sink.readableLength).toBe(0);
  });

  it.each([
    ['cut off', (whole: Buffer) => whole.subarray(0, -1)],
    ['longer', (whole: Buffer) => Buffer.concat([whole, noise(9)])],
    ['another', (whole: Buffer) => Buffer.concat([whole.subarray(0, -9), noise(9)])],
  ])('fails as a verification where what is stored is %s, decrypted or not', async (_, damage) => {
    const entry = await backupOf(await seal(key.recipient, plain), 'archive.dump.age', damage);
    expect(await failure(downloaded(entry))).toMatchObject({ code: 'verification' });
    expect(await failure(downloaded(entry, key.identity))).toMatchObject({ code: 'verification' });
  });
});
