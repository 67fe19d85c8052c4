import { PgbackupError } from '../domain/errors.ts';
import type { Ports } from '../ports.ts';
import { abortable } from './abortable.ts';
import { archiveKey, type CatalogEntry } from './catalog.ts';
import { hashStored } from './backup.ts';
import { makeBackupId } from '../domain/backup-id.ts';
import { parseServiceName } from '../domain/names.ts';

export interface VerifyResult {
  readonly id: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly seconds: number;
}

/**
 * Shows that an archive still has the bytes that were stored, and that pg_restore decodes them to their end.
 * It needs the image of the service on this host, but no running service.
 * @throws PgbackupError verification, not-found, docker, storage.
 */
export async function verifyBackup(
  ports: Pick<Ports, 'clock' | 'postgres' | 'spools' | 'sources' | 'reporter' | 'dokku' | 'signal'>,
  entry: CatalogEntry,
): Promise<VerifyResult> {
  const started = ports.clock.now();
  const { archive, id, service } = entry.manifest;
  ports.reporter.step(`Verifying ${id}`);
  const key = archiveKey(entry);
  const stored = await hashStored(entry.storage, key, ports.signal).catch((cause: unknown) => {
    if (cause instanceof PgbackupError && cause.code === 'not-found')
      throw new PgbackupError('verification', `The archive of backup ${id} is gone: ${entry.storage.place}/${key}`, { cause });
    throw cause;
  });
  if (stored.sha256 !== archive.storedSha256 || stored.bytes !== archive.storedBytes) {
    throw new PgbackupError(
      'verification',
      `Backup ${id} is damaged: ${stored.bytes} bytes with SHA-256 ${stored.sha256}, stored were ${archive.storedBytes} bytes with ${archive.storedSha256}`,
      {
        hint: `Take a new one now: dokku pgbackup:run ${service.name}`,
      },
    );
  }
  await using spool = await ports.spools.open(makeBackupId(parseServiceName(service.name), started, ports.clock.suffix()));
  const path = entry.storage.filePath(key);
  if (path === undefined) throw new PgbackupError('storage', `Backup ${id} does not lie on this host`);
  const inspected = await ports.sources.inspect(path).catch((cause: unknown) => Promise.reject(undecodable(id, cause)));
  const input = {
    format: inspected.format,
    file: inspected.bare ? path : undefined,
    open: () => ports.sources.open(path, inspected, entry.manifest.server.major),
  };
  const image = (await ports.dokku.service(parseServiceName(service.name)).catch(() => undefined))?.image || service.image;
  await abortable(ports.signal, ports.postgres.decodeOffline(image, input, { spool })).catch((cause: unknown) =>
    Promise.reject(undecodable(id, cause)),
  );
  return { id, bytes: stored.bytes, sha256: stored.sha256, seconds: (ports.clock.now().getTime() - started.getTime()) / 1000 };
}

/** What is damaged counts as a failed verification here: nothing was to be restored. */
function undecodable(id: string, cause: unknown): unknown {
  const damaged = cause instanceof PgbackupError && cause.code === 'damaged';
  return damaged ? new PgbackupError('verification', `Backup ${id} cannot be decoded: ${cause.message}`, { cause }) : cause;
}
