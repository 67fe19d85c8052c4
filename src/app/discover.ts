import { isBackupId } from '../domain/backup-id.ts';
import { messageOf } from '../domain/errors.ts';
import { totalRows } from '../domain/manifest.ts';
import type { StorageName } from '../domain/storage-name.ts';
import type { Ports, Storage } from '../ports.ts';
import { addressOf, hostOf, readCatalog, type CatalogEntry, type ForeignEntry } from './catalog.ts';
import { openStorages } from './storages.ts';

export interface DiscoveredService {
  readonly service: string;
  readonly host: string;
  /** Taken by this host. */
  readonly own: boolean;
  readonly oldest: string;
  readonly newest: string;
  readonly storedBytes: number;
  /** Oldest first. */
  readonly backups: readonly {
    readonly id: string;
    readonly taken: string;
    readonly storedBytes: number;
    readonly rows: number;
    readonly encrypted: boolean;
    /** By a passphrase; else by keys. */
    readonly passphrase: boolean;
  }[];
}

export interface Discovery {
  readonly place: string;
  readonly services: readonly DiscoveredService[];
  /** Objects that dokku-postgres has made, oldest first. */
  readonly foreign: readonly (Omit<ForeignEntry, 'storage' | 'key'> & { readonly address: string })[];
  readonly problems: readonly string[];
  /** Of a place without backups: prefixes below it at which there are some, of a storage set up without its own. */
  readonly elsewhere: readonly string[];
}

/** All that a storage holds, of whatever host and service: from the storage alone. @throws PgbackupError not-found, storage. */
export async function discoverBackups(ports: Pick<Ports, 'storages' | 'settings' | 'host'>, name: StorageName): Promise<Discovery> {
  const storages = await openStorages(ports, undefined, [name]);
  const catalog = await readCatalog(storages, undefined);
  const groups = new Map<string, CatalogEntry[]>();
  for (const entry of catalog.entries) {
    const key = `${entry.manifest.service.name}/${hostOf(entry)}`;
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  const nothing = catalog.entries.length + catalog.foreign.length + catalog.problems.length + catalog.unread.length === 0;
  return {
    elsewhere: nothing ? await prefixesBelow(storages) : [],
    place: storages[0]?.place ?? name,
    services: [...groups.values()].map((entries) => describe(entries, ports.host.id)).toSorted((a, b) => (a.newest < b.newest ? -1 : 1)),
    foreign: catalog.foreign.map((entry) => {
      const { service, taken, encrypted } = entry;
      return { service, taken, encrypted, address: addressOf(entry) };
    }),
    problems: [...catalog.problems.map(({ message }) => message), ...catalog.unread.map(({ error }) => messageOf(error))],
  };
}

/** A prefix that was forgotten is the likeliest slip on a new host, and looks like a place without backups. */
async function prefixesBelow(storages: readonly Storage[]): Promise<string[]> {
  const found = new Set<string>();
  for (const storage of storages)
    for await (const { key } of storage.list('')) {
      const [, prefix, id] = /^(.+)\/[^/]+\/[^/]+\/([^/]+)\/manifest\.json$/.exec(key) ?? [];
      if (prefix !== undefined && id !== undefined && isBackupId(id)) found.add(prefix);
    }
  return [...found].toSorted();
}

function describe(entries: readonly CatalogEntry[], host: string): DiscoveredService {
  const [first] = entries;
  if (!first) throw new Error('a service without backups was discovered');
  return {
    service: first.manifest.service.name,
    host: hostOf(first),
    own: hostOf(first) === host,
    oldest: first.manifest.startedAt,
    newest: (entries.at(-1) ?? first).manifest.startedAt,
    storedBytes: entries.reduce((sum, { manifest }) => sum + manifest.archive.storedBytes, 0),
    backups: entries.map(({ manifest }) => ({
      id: manifest.id,
      taken: manifest.startedAt,
      storedBytes: manifest.archive.storedBytes,
      rows: totalRows(manifest.rows),
      encrypted: manifest.archive.encryption !== null,
      passphrase: manifest.archive.encryption?.passphrase ?? false,
    })),
  };
}
