import { PgbackupError } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import { parseServiceName } from '../domain/names.ts';
import type { ServiceName } from '../domain/names.ts';
import type { Ports, Storage } from '../ports.ts';
import { archiveKey, hostOf, idInKey, newestOf, type Catalog, type CatalogEntry } from './catalog.ts';
import { confirmByName, type Consent } from './confirm.ts';

type DeletePorts = Pick<Ports, 'reporter' | 'locks' | 'log' | 'clock'>;

/**
 * Deletes one backup: the manifest first, so that whatever stops us leaves nothing listed that cannot be restored.
 * @throws PgbackupError refused (the newest one, without force), confirmation, locked, storage.
 */
export async function deleteBackup(ports: DeletePorts, catalog: Catalog, entry: CatalogEntry, consent: Consent): Promise<void> {
  const { id, service } = entry.manifest;
  if (!consent.force && newestOf(catalog, hostOf(entry)) === entry) {
    throw new PgbackupError('refused', `Delete refused: ${id} is the newest proven backup of ${service.name}`, {
      hint: `Take another first (dokku pgbackup:run ${service.name}), or add: --force`,
    });
  }
  await confirmByName(ports.reporter, id, consent, 'Delete', `backup ${id} would be gone`);
  const taken = `taken ${formatTime(entry.manifest.startedAt)}`;
  await remove(ports, parseServiceName(service.name), id, entry.storage, [`${entry.folder}manifest.json`, archiveKey(entry)], taken);
}

/**
 * Deletes what is left of a backup whose manifest cannot be read, which nothing else can be done with.
 * @returns false, when there is none of that id. @throws PgbackupError confirmation, locked, storage.
 */
export async function deleteUnreadable(
  ports: DeletePorts,
  service: ServiceName,
  { problems, storage }: Catalog,
  id: string,
  consent: Consent,
): Promise<boolean> {
  const manifest = problems.find((problem) => idInKey(problem.key) === id)?.key;
  if (manifest === undefined) return false;
  await confirmByName(ports.reporter, id, consent, 'Delete', `what is left of backup ${id} would be gone`);
  const folder = manifest.slice(0, manifest.lastIndexOf('/') + 1);
  const others: string[] = [];
  for await (const key of storage.list(folder)) if (key !== manifest) others.push(key);
  await remove(ports, service, id, storage, [manifest, ...others], 'its manifest could not be read');
  return true;
}

async function remove(
  ports: DeletePorts,
  service: ServiceName,
  id: string,
  storage: Storage,
  keys: readonly string[],
  message: string,
): Promise<void> {
  // Not while a restore reads it.
  await using _lock = await ports.locks.acquire(service, 'delete');
  for (const key of keys) await storage.delete(key);
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
