import { PgbackupError } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import { parseServiceName } from '../domain/names.ts';
import type { Ports } from '../ports.ts';
import { archiveKey, hostOf, newestOf, type Catalog, type CatalogEntry } from './catalog.ts';
import { confirmByName, type Consent } from './confirm.ts';

/**
 * Deletes one backup: the manifest first, so that whatever stops us leaves nothing listed that cannot be restored.
 * @throws PgbackupError refused (the newest one, without force), confirmation, locked, storage.
 */
export async function deleteBackup(
  ports: Pick<Ports, 'reporter' | 'locks' | 'log' | 'clock'>,
  catalog: Catalog,
  entry: CatalogEntry,
  consent: Consent,
): Promise<void> {
  const { id, service } = entry.manifest;
  if (!consent.force && newestOf(catalog, hostOf(entry)) === entry) {
    throw new PgbackupError('refused', `Delete refused: ${id} is the newest proven backup of ${service.name}`, {
      hint: `Take another first (dokku pgbackup:run ${service.name}), or add: --force`,
    });
  }
  await confirmByName(ports.reporter, id, consent, 'Delete', `backup ${id} would be gone`);
  // Not while a restore reads it.
  await using _lock = await ports.locks.acquire(parseServiceName(service.name), 'delete');
  await entry.storage.delete(`${entry.folder}manifest.json`);
  await entry.storage.delete(archiveKey(entry));
  await ports.log.append({
    time: ports.clock.now().toISOString(),
    service: service.name,
    operation: 'delete',
    id,
    outcome: 'ok',
    seconds: 0,
    message: `taken ${formatTime(entry.manifest.startedAt)}`,
  });
}
