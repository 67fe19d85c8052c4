import { PgbackupError } from '../domain/errors.ts';
import type { Keyring, Ports, Storage } from '../ports.ts';
import { abortable } from './abortable.ts';
import { archiveKey, type CatalogEntry } from './catalog.ts';
import { hashStored } from './copies.ts';
import { holdBackup } from './reading.ts';
import { distantOrigin } from './backup-origin.ts';
import { mustHaveKey, withKeptPassphrase } from './choose-source.ts';
import { noKeys } from './keys.ts';
import { makeBackupId } from '../domain/backup-id.ts';
import { parseServiceName } from '../domain/names.ts';

export interface VerifyResult {
  readonly id: string;
  readonly storage: string;
  readonly bytes: number;
  readonly sha256: string;
  /** False: it is encrypted and no key was given, so that only its bytes were compared. */
  readonly decoded: boolean;
  readonly seconds: number;
}

/**
 * Shows that an archive in one storage still has the bytes that were stored, and that pg_restore decodes them to their
 * end. It needs the image of the service on this host, but no running service. What lies elsewhere is read once for both.
 * @throws PgbackupError verification, refused (a key that does not fit), not-found (it has been pruned meanwhile), docker, storage.
 */
export async function verifyBackup(
  ports: Pick<Ports, 'clock' | 'locks' | 'postgres' | 'spools' | 'sources' | 'reporter' | 'dokku' | 'signal' | 'settings' | 'encryption'>,
  entry: CatalogEntry,
  storage: Storage,
  given: Keyring = noKeys,
): Promise<VerifyResult> {
  const started = ports.clock.now();
  const { archive, id, service } = entry.manifest;
  const owner = parseServiceName(service.name);
  ports.reporter.step(`Verifying ${id}${entry.copies.length > 1 ? ` in ${storage.name}` : ''}`);
  await using _mark = await holdBackup(ports, entry, 'a verify', [storage]);
  const keys = await withKeptPassphrase(ports, owner, given);
  const result = (decoded: boolean): VerifyResult => ({
    id,
    storage: storage.name,
    bytes: archive.storedBytes,
    sha256: archive.storedSha256,
    decoded,
    seconds: (ports.clock.now().getTime() - started.getTime()) / 1000,
  });
  const path = storage.filePath(archiveKey(entry));
  const opens =
    archive.encryption === null || keys.identities.length > 0 || (archive.encryption.passphrase && keys.passphrase !== undefined);
  if (path !== undefined || !opens) await mustBeStored(entry, storage, ports.signal);
  if (!opens) return result(false);
  if (given.identities.length > 0) await mustHaveKey(ports, entry, keys);
  await using spool = await ports.spools.open(makeBackupId(owner, started, ports.clock.suffix()));
  const image = (await ports.dokku.service(owner).catch(() => undefined))?.image || service.image;
  try {
    const origin = path === undefined ? await distantOrigin(entry, storage, ports.signal) : { path };
    const inspected = await ports.sources.inspect(origin, keys);
    const input = {
      format: inspected.format,
      file: inspected.bare ? path : undefined,
      open: () => ports.sources.open(origin, inspected, entry.manifest.server.major),
    };
    await abortable(ports.signal, ports.postgres.decodeOffline(image, input, { spool }));
  } catch (cause) {
    throw undecodable(id, cause);
  }
  return result(true);
}

/** @throws PgbackupError verification, storage. */
async function mustBeStored({ manifest, folder }: CatalogEntry, storage: Storage, signal: AbortSignal): Promise<void> {
  const { archive, id, service } = manifest;
  const key = folder + archive.file;
  const stored = await hashStored(storage, key, signal).catch((cause: unknown) => {
    if (cause instanceof PgbackupError && cause.code === 'not-found')
      throw new PgbackupError('verification', `The archive of backup ${id} is gone: ${storage.place}/${key}`, { cause });
    throw cause;
  });
  if (stored.sha256 === archive.storedSha256 && stored.bytes === archive.storedBytes) return;
  throw new PgbackupError(
    'verification',
    `Backup ${id} is damaged: ${stored.bytes} bytes with SHA-256 ${stored.sha256}, stored were ${archive.storedBytes} bytes with ${archive.storedSha256}`,
    { hint: `Take a new one now: dokku pgbackup:run ${service.name}` },
  );
}

/** What is damaged counts as a failed verification here: nothing was to be restored. */
function undecodable(id: string, cause: unknown): unknown {
  const damaged = cause instanceof PgbackupError && cause.code === 'damaged';
  return damaged ? new PgbackupError('verification', `Backup ${id} cannot be decoded: ${cause.message}`, { cause }) : cause;
}
