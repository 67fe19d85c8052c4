import { createHash } from 'node:crypto';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { ServiceName } from '../domain/names.ts';
import type { StorageName } from '../domain/storage-name.ts';
import type { Ports, Storage } from '../ports.ts';
import { archiveKey, findBackup, hostOf, readCatalog, warnOfGaps, type Catalog, type CatalogEntry } from './catalog.ts';
import { readBack } from './copies.ts';
import { encryptionTarget } from './encryption.ts';
import { holdBackup } from './reading.ts';
import { openStorages } from './storages.ts';

export interface CopyRequest {
  readonly service: ServiceName;
  /** undefined: all of this host that the other storage lacks. */
  readonly id: string | undefined;
  readonly to: StorageName;
  /** undefined: the storages of the service. */
  readonly from: readonly StorageName[] | undefined;
}

export interface CopyReport {
  readonly copied: readonly CopyResult[];
  readonly failed: readonly { readonly id: string; readonly message: string }[];
}

export interface CopyResult {
  readonly id: string;
  readonly from: string;
  readonly bytes: number;
  readonly seconds: number;
}

type CopyPorts = Pick<Ports, 'clock' | 'reporter' | 'signal'>;

/**
 * Brings backups to another storage, oldest first; one that cannot be copied does not keep the others.
 * @throws PgbackupError usage, not-found, storage; what became of one that was named by its id is thrown, too.
 */
export async function copyBackups(
  ports: CopyPorts & Pick<Ports, 'settings' | 'storages' | 'host' | 'locks'>,
  request: CopyRequest,
): Promise<CopyReport> {
  const { service, id } = request;
  const others = (await openStorages(ports, service, request.from)).filter((storage) => storage.name !== request.to);
  const [to] = await openStorages(ports, service, [request.to]);
  if (!to || others.length === 0) {
    throw new PgbackupError('usage', `Backups of ${service} go to ${request.to} alone: there is nowhere to copy from`, {
      hint: 'Say from where: --storage <storage>',
    });
  }
  const catalog = await readCatalog([...others, to], service);
  for (const { storage, error } of catalog.unread) if (storage === to) throw error;
  warnOfGaps(ports.reporter, catalog);
  const chosen = lacking(catalog, request, to, ports.host.id);
  const plain = chosen.filter(({ manifest }) => manifest.archive.encryption === null).length;
  if (plain > 0 && (await encryptionTarget(ports, service)) !== undefined)
    ports.reporter.warn(
      `${plain} of these backups were taken before the service had encryption: they are copied as they are, not encrypted`,
    );
  const copied: CopyResult[] = [];
  const failed: { id: string; message: string }[] = [];
  for (const entry of chosen) {
    try {
      await using _mark = await holdBackup(ports, entry, 'a copy');
      await using _writer = await writeAlone(ports, service, entry.manifest.id, to.name);
      copied.push(await copyBackup(ports, entry, to));
    } catch (error) {
      ports.signal.throwIfAborted();
      if (id !== undefined) throw error;
      failed.push({ id: entry.manifest.id, message: messageOf(error) });
      ports.reporter.warn(messageOf(error));
    }
  }
  return { copied, failed };
}

/** Two that copy the same backup to the same place would take each other's work back. @throws PgbackupError locked. */
async function writeAlone(ports: Pick<Ports, 'locks'>, service: ServiceName, id: string, to: string): Promise<AsyncDisposable> {
  try {
    return await ports.locks.removing(service, `${id}.to.${to}`);
  } catch (cause) {
    if (!(cause instanceof PgbackupError) || cause.code !== 'locked') throw cause;
    throw new PgbackupError('locked', `Backup ${id} is being copied to ${to} by another command`, { cause, hint: 'Wait for it to end' });
  }
}

function lacking(catalog: Catalog, { service, id }: CopyRequest, to: Storage, host: string): readonly CatalogEntry[] {
  // Those of other hosts by their id alone: they may be many, and are somebody else's to look after.
  const meant = id === undefined ? catalog.entries.filter((entry) => hostOf(entry) === host) : [findBackup(catalog, service, id, host)];
  return meant.filter((entry) => !entry.copies.includes(to));
}

/**
 * Brings a backup to another storage: compared with its checksum on the way, and proven there before its manifest is.
 * What one storage has damaged is tried from the next that has it.
 * @throws PgbackupError damaged, storage, verification; nothing of it is left in the other storage then.
 */
export async function copyBackup(ports: CopyPorts, entry: CatalogEntry, to: Storage): Promise<CopyResult> {
  const started = ports.clock.now();
  const sources = entry.copies.filter((storage) => storage.name !== to.name);
  let failure: unknown = new PgbackupError('not-found', `Backup ${entry.manifest.id} lies in ${to.name} alone`);
  for (const from of sources) {
    ports.reporter.step(`Copying ${entry.manifest.id} from ${from.name} to ${to.name}`);
    try {
      const bytes = await copyFrom(ports, entry, from, to);
      return { id: entry.manifest.id, from: from.name, bytes, seconds: (ports.clock.now().getTime() - started.getTime()) / 1000 };
    } catch (error) {
      ports.signal.throwIfAborted();
      failure = error;
      if (from !== sources.at(-1)) ports.reporter.warn(messageOf(error));
    }
  }
  throw failure;
}

async function copyFrom(ports: CopyPorts, entry: CatalogEntry, from: Storage, to: Storage): Promise<number> {
  const { storedBytes, storedSha256 } = entry.manifest.archive;
  const key = archiveKey(entry);
  const manifestKey = `${entry.folder}manifest.json`;
  // As it is, and not as we understand it: a newer version may have written more into it.
  const manifest = await from.readText(manifestKey);
  // What could not be read there may be whole all the same: it is neither written over nor taken back.
  if (await to.head(manifestKey)) {
    throw new PgbackupError(
      'storage',
      `${to.name} has a manifest of ${entry.manifest.id} already, which cannot be read now or is damaged`,
      {
        hint: `Look at it: dokku pgbackup:verify ${entry.manifest.service.name} ${entry.manifest.id} --storage ${to.name}. If it is damaged, delete it there: dokku pgbackup:delete ${entry.manifest.service.name} ${entry.manifest.id} --storage ${to.name}`,
      },
    );
  }
  async function* checked(): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of (await from.get(key, ports.signal)) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      ports.reporter.progress(bytes, storedBytes);
      yield chunk;
    }
    if (bytes === storedBytes && hash.digest('hex') === storedSha256) return;
    // Thrown before the end is seen: the other storage then completes nothing.
    throw new PgbackupError(
      'damaged',
      `The archive of ${entry.manifest.id} in ${from.place} is damaged: it is not what its manifest records`,
      {
        hint: `Look at the other copies: dokku pgbackup:verify ${entry.manifest.service.name} ${entry.manifest.id}`,
      },
    );
  }
  try {
    const { confirmed } = await to.put(key, checked(), { signal: ports.signal, expectedBytes: storedBytes });
    if (!confirmed) await readBack(to, key, { bytes: storedBytes, sha256: storedSha256 }, ports.signal);
    await to.put(
      manifestKey,
      (async function* () {
        yield Buffer.from(manifest);
      })(),
    );
  } catch (error) {
    // The manifest first, whose answer may have been all that was lost of it.
    await to
      .delete(manifestKey)
      .then(() => to.delete(key))
      .catch(() => {});
    throw error;
  }
  return storedBytes;
}
