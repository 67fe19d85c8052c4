import { localStorage, type StorageName } from '../domain/storage-name.ts';
import type { Ports, StorageFinding } from '../ports.ts';

/** What a storage can do, found by doing it. @throws PgbackupError not-found, storage (it cannot be reached at all). */
export async function checkStorage(
  ports: Pick<Ports, 'storages' | 'settings' | 'signal' | 'reporter'>,
  name: StorageName,
): Promise<{ readonly place: string; readonly findings: readonly StorageFinding[] }> {
  const backupDir = name === localStorage ? (await ports.settings.read('--global')).get('backup-dir') || undefined : undefined;
  const { place } = ports.storages.open(name, backupDir);
  ports.reporter.step(`Checking ${place}`);
  return { place, findings: await ports.storages.check(name, backupDir, ports.signal) };
}
