import { isServiceName, type ServiceName } from '../domain/names.ts';
import type { PreviousDatabase } from '../domain/previous.ts';
import type { Ports } from '../ports.ts';
import { openStorage, readCatalog } from './catalog.ts';
import { resolveService, type Target } from './resolve.ts';
import { reportSettings, type SettingsReport } from './settings.ts';

export interface ServiceReport extends SettingsReport {
  readonly place: string;
  readonly backups: number;
  readonly storedBytes: number;
  /** Id of the newest backup. */
  readonly newest: string | null;
  readonly previous: PreviousDatabase | null;
  /** Id of an operation that was cut off and is to be cleaned up by the next command. */
  readonly unfinished: string | null;
}

/** State of one service, or of all that have backups in the storage set for all. @throws PgbackupError not-found, usage, storage. */
export async function reportServices(
  ports: Pick<Ports, 'dokku' | 'settings' | 'storage' | 'previous' | 'journals'>,
  target: Target | undefined,
): Promise<ServiceReport[]> {
  if (target !== undefined) return [await reportService(ports, (await resolveService(ports, target)).name)];
  const { entries } = await readCatalog(await openStorage(ports, undefined), undefined);
  const names = [...new Set(entries.map((entry) => entry.manifest.service.name))].filter(isServiceName).toSorted();
  return Promise.all(names.map((name) => reportService(ports, name)));
}

async function reportService(
  ports: Pick<Ports, 'settings' | 'storage' | 'previous' | 'journals'>,
  service: ServiceName,
): Promise<ServiceReport> {
  const storage = await openStorage(ports, service);
  const { entries } = await readCatalog(storage, service);
  return {
    ...(await reportSettings(ports, service)),
    place: storage.place,
    backups: entries.length,
    storedBytes: entries.reduce((sum, entry) => sum + entry.manifest.archive.storedBytes, 0),
    newest: entries.at(-1)?.manifest.id ?? null,
    previous: (await ports.previous.read(service)) ?? null,
    unfinished: (await ports.journals.read(service))?.operation ?? null,
  };
}
