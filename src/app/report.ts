import { isServiceName, type ServiceName } from '../domain/names.ts';
import type { PreviousDatabase } from '../domain/previous.ts';
import type { Ports, Storage } from '../ports.ts';
import { readCatalog, type CatalogEntry } from './catalog.ts';
import { resolveService, type Target } from './resolve.ts';
import { reportSettings, type SettingsReport } from './settings.ts';
import { openStorages } from './storages.ts';

export interface ServiceReport extends SettingsReport {
  /** The storages, where each lies, and how many backups it has; undefined: it could not be read. */
  readonly storages: readonly {
    readonly name: string;
    readonly place: string;
    readonly backups: number | undefined;
    /** Ids of the backups that it failed to take, and has not been given since. */
    readonly lacks: readonly string[];
  }[];
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
  ports: Pick<Ports, 'dokku' | 'settings' | 'storages' | 'previous' | 'journals'>,
  target: Target | undefined,
): Promise<ServiceReport[]> {
  if (target !== undefined) return [await reportService(ports, (await resolveService(ports, target)).name)];
  const { entries } = await readCatalog(await openStorages(ports, undefined), undefined);
  const names = [...new Set(entries.map((entry) => entry.manifest.service.name))].filter(isServiceName).toSorted();
  return Promise.all(names.map((name) => reportService(ports, name)));
}

async function reportService(
  ports: Pick<Ports, 'settings' | 'storages' | 'previous' | 'journals'>,
  service: ServiceName,
): Promise<ServiceReport> {
  const { storages, entries, unread } = await readCatalog(await openStorages(ports, service), service);
  return {
    ...(await reportSettings(ports, service)),
    storages: storages.map((storage) => ({
      name: storage.name,
      place: storage.place,
      backups: unread.some((one) => one.storage === storage) ? undefined : entries.filter((entry) => entry.copies.includes(storage)).length,
      lacks: entries.filter((entry) => lacksCopy(entry, storage)).map(({ manifest }) => manifest.id),
    })),
    backups: entries.length,
    storedBytes: entries.reduce((sum, entry) => sum + entry.manifest.archive.storedBytes, 0),
    newest: entries.at(-1)?.manifest.id ?? null,
    previous: (await ports.previous.read(service)) ?? null,
    unfinished: (await ports.journals.read(service))?.operation ?? null,
  };
}

/** What a storage has pruned, or was never asked to hold, it does not lack. */
function lacksCopy({ manifest, copies }: CatalogEntry, storage: Storage): boolean {
  return !copies.includes(storage) && (manifest.storages ?? []).some(({ name, stored }) => name === storage.name && !stored);
}
