import { PgbackupError } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import { parseServiceName } from '../domain/names.ts';
import type { ServiceName } from '../domain/names.ts';
import type { Ports, Storage } from '../ports.ts';
import { archiveKey, hostOf, idInKey, newestOf, type Catalog, type CatalogEntry } from './catalog.ts';
import { confirmByName, type Consent } from './confirm.ts';

type DeletePorts = Pick<Ports, 'reporter' | 'locks' | 'log' | 'clock' | 'host'>;

interface Doomed {
  readonly storage: Storage;
  /** In the order of their deletion. */
  readonly keys: readonly string[];
}

/**
 * Deletes one backup from every storage that has it: the manifests first, so that whatever stops us leaves nothing
 * listed that cannot be restored.
 * @throws PgbackupError refused (the newest one, without force; one under object lock), confirmation, locked, storage.
 */
export async function deleteBackup(ports: DeletePorts, catalog: Catalog, entry: CatalogEntry, consent: Consent): Promise<void> {
  const { id, service } = entry.manifest;
  const host = hostOf(entry);
  if (!consent.force && host !== ports.host.id) {
    throw new PgbackupError('refused', `Delete refused: ${id} was taken by another host (${host})`, {
      hint: 'If you mean it all the same, add: --force',
    });
  }
  if (!consent.force && newestOf(catalog, host, ports.clock.now()) === entry) {
    throw new PgbackupError('refused', `Delete refused: ${id} is the newest proven backup of ${service.name}`, {
      hint: `Take another first (dokku pgbackup:run ${service.name}), or add: --force`,
    });
  }
  for (const storage of entry.copies) await mustNotBeLocked(storage, archiveKey(entry), id);
  await confirmByName(ports.reporter, id, consent, 'Delete', `backup ${id} would be gone`);
  const taken = `taken ${formatTime(entry.manifest.startedAt)}`;
  const doomed = entry.copies.map((storage) => ({ storage, keys: [`${entry.folder}manifest.json`, archiveKey(entry)] }));
  await remove(ports, parseServiceName(service.name), id, doomed, taken);
}

/**
 * Deletes what is left of a backup whose manifest cannot be read, which nothing else can be done with.
 * @returns false, when there is none of that id.
 * @throws PgbackupError refused (it may be whole, without force; object lock), confirmation, locked, storage.
 */
export async function deleteUnreadable(
  ports: DeletePorts,
  service: ServiceName,
  { problems }: Catalog,
  id: string,
  consent: Consent,
): Promise<boolean> {
  const unreadable = problems.filter((problem) => idInKey(problem.key) === id);
  if (unreadable.length === 0) return false;
  const unread = unreadable.find(({ damaged }) => !damaged);
  if (unread && !consent.force) {
    throw new PgbackupError('refused', `Delete refused: the manifest of ${id} cannot be read now, and may be whole. ${unread.message}`, {
      hint: `Try again when ${unread.storage.name} answers. To delete it unseen, add: --force`,
    });
  }
  const other = unreadable.map(({ key }) => key.split('/')[0]).find((host) => host !== ports.host.id);
  if (other !== undefined && !consent.force) {
    throw new PgbackupError('refused', `Delete refused: ${id} was taken by another host (${other}), which may be able to read it`, {
      hint: 'If you mean it all the same, add: --force',
    });
  }
  await confirmByName(ports.reporter, id, consent, 'Delete', `what is left of backup ${id} would be gone`);
  const doomed = await Promise.all(
    unreadable.map(async ({ key: manifest, storage }) => {
      const others: string[] = [];
      for await (const { key } of storage.list(manifest.slice(0, manifest.lastIndexOf('/') + 1))) if (key !== manifest) others.push(key);
      for (const key of others) await mustNotBeLocked(storage, key, id);
      return { storage, keys: [manifest, ...others] };
    }),
  );
  await remove(ports, service, id, doomed, 'its manifest could not be read');
  return true;
}

/** @throws PgbackupError refused, storage. */
async function mustNotBeLocked(storage: Storage, key: string, id: string): Promise<void> {
  const until = (await storage.head(key))?.lockedUntil;
  if (until === undefined) return;
  throw new PgbackupError('refused', `Delete refused: ${storage.name} keeps ${id} locked until ${formatTime(until.toISOString())}`, {
    hint: 'The lock was asked for when the backup was taken (--lock-days of the storage); it can be deleted when its time is over',
  });
}

async function remove(ports: DeletePorts, service: ServiceName, id: string, doomed: readonly Doomed[], message: string): Promise<void> {
  await using _lock = await ports.locks.acquire(service, 'delete');
  // Whoever reads it may have no lock of this service: a restore into another one, say.
  await using _alone = await ports.locks.removing(service, id);
  for (const { storage, keys } of doomed) if (keys[0] !== undefined) await storage.delete(keys[0]);
  for (const { storage, keys } of doomed) for (const key of keys.slice(1)) await storage.delete(key);
  await ports.log.append({
    time: ports.clock.now().toISOString(),
    service,
    operation: 'delete',
    id,
    outcome: 'ok',
    seconds: 0,
    message,
  });
}
