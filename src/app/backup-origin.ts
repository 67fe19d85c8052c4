import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { PgbackupError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Origin, Ports, Spool, Storage } from '../ports.ts';
import { archiveKey, type CatalogEntry } from './catalog.ts';

/** @throws PgbackupError damaged, when the bytes are not those that were stored. */
export function checkStored(manifest: Manifest, where: string, sha256: string, bytes: number): void {
  const { storedBytes, storedSha256 } = manifest.archive;
  if (sha256 === storedSha256 && bytes === storedBytes) return;
  const how = bytes === storedBytes ? 'its SHA-256 is not the one recorded' : `it has ${bytes} bytes, and ${storedBytes} were stored`;
  throw new PgbackupError('damaged', `The archive of backup ${manifest.id} is damaged: ${how} (${where})`, {
    hint: `Choose another backup: dokku pgbackup:list ${manifest.service.name}`,
  });
}

/**
 * The archive in a distant storage: each time it is read to its end its bytes are compared with the manifest, and a
 * stream of others fails there. Whoever restores from it has to see that end.
 * @throws PgbackupError damaged (its size is another one), not-found, storage.
 */
export async function distantOrigin(entry: CatalogEntry, storage: Storage, signal: AbortSignal): Promise<Origin> {
  const key = archiveKey(entry);
  const label = `${storage.place}/${key}`;
  const { manifest } = entry;
  const found = await storage.head(key);
  if (!found) throw new PgbackupError('damaged', `The archive of backup ${manifest.id} is gone: ${label}`);
  // Told now and not after an hour. The sum can only be told at the end.
  if (found.size !== manifest.archive.storedBytes) checkStored(manifest, label, '', found.size);
  async function* checked(): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of (await storage.get(key, signal)) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
    checkStored(manifest, label, hash.digest('hex'), bytes);
  }
  return { label, open: () => Readable.from(checked(), { objectMode: false, highWaterMark: 1024 * 1024 }) };
}

/** Brings an object of a storage into the spool, for what must be able to seek in it. @returns the path. @throws PgbackupError refused (no room), storage. */
export async function fetchIntoSpool(
  ports: Pick<Ports, 'host' | 'sources' | 'reporter'>,
  storage: Storage,
  key: string,
  spool: Spool,
): Promise<string> {
  const found = await storage.head(key);
  if (!found) throw new PgbackupError('not-found', `There is no ${key} in ${storage.place}`);
  const free = await ports.host.freeBytes(spool.path);
  if (found.size > free) {
    throw new PgbackupError('refused', `There is no room for ${key}: it has ${found.size} bytes, and ${free} are free in ${spool.path}`, {
      hint: 'Free some space; a backup of this plugin restores without a copy on this disk when --jobs is 1',
    });
  }
  ports.reporter.step(`Fetching ${storage.place}/${key}`);
  return ports.sources.keep(await storage.get(key), spool, found.size);
}
