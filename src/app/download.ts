import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PgbackupError } from '../domain/errors.ts';
import { archiveKey, type CatalogEntry } from './catalog.ts';

/**
 * Writes the archive of a backup to a stream, and compares it with its checksum on the way.
 * @throws PgbackupError verification, after the last byte: whoever reads must look at the exit code. Also not-found, storage.
 */
export async function downloadBackup(entry: CatalogEntry, sink: Writable): Promise<void> {
  const { archive, id } = entry.manifest;
  const hash = createHash('sha256');
  const source = await entry.storage.get(archiveKey(entry));
  async function* metered(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  }
  try {
    await pipeline(source, metered, sink, { end: false });
  } catch (cause) {
    if (cause instanceof PgbackupError) throw cause;
    throw new PgbackupError('storage', `Backup ${id} could not be written out to its end`, { cause });
  }
  if (hash.digest('hex') !== archive.storedSha256) {
    throw new PgbackupError('verification', `Backup ${id} is damaged: what was written out has not the SHA-256 ${archive.storedSha256}`, {
      hint: 'Do not use the file',
    });
  }
}
