import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PgbackupError } from '../domain/errors.ts';
import type { Encryption, Keyring, Ports } from '../ports.ts';
import { archiveKey, type CatalogEntry } from './catalog.ts';
import { holdBackup } from './reading.ts';

/** What opens an archive on its way out. */
export interface Decryption {
  readonly encryption: Pick<Encryption, 'decrypt'>;
  readonly keys: Keyring;
}

/**
 * Writes the archive of a backup to a stream, and compares it with its checksum on the way. With a decryption it is
 * written as it was before it was encrypted; one that is not encrypted is written as it lies.
 * @throws PgbackupError verification, after the last byte: whoever reads must look at the exit code. Also not-found, locked, storage;
 * refused, before the first byte, when no key opens it.
 */
export async function downloadBackup(
  ports: Pick<Ports, 'locks'>,
  entry: CatalogEntry,
  sink: Writable,
  decryption?: Decryption,
): Promise<void> {
  const { archive, id } = entry.manifest;
  await using _mark = await holdBackup(ports, entry, 'a download', [entry.storage]);
  const hash = createHash('sha256');
  const source = await entry.storage.get(archiveKey(entry));
  async function* metered(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  }
  async function* opened(chunks: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
    if (decryption && archive.encryption !== null) yield* decryption.encryption.decrypt(decryption.keys, chunks, `Backup ${id}`);
    else yield* chunks;
  }
  try {
    await pipeline(source, metered, opened, sink, { end: false });
  } catch (cause) {
    if (cause instanceof PgbackupError && cause.code === 'damaged')
      throw new PgbackupError('verification', cause.message, { cause, hint: 'Do not use the file' });
    if (cause instanceof PgbackupError) throw cause;
    throw new PgbackupError('storage', `Backup ${id} could not be written out to its end`, { cause });
  }
  if (hash.digest('hex') !== archive.storedSha256) {
    throw new PgbackupError('verification', `Backup ${id} is damaged: what was written out has not the SHA-256 ${archive.storedSha256}`, {
      hint: 'Do not use the file',
    });
  }
}
