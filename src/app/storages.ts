import { messageOf, PgbackupError } from '../domain/errors.ts';
import { parseManifest } from '../domain/manifest.ts';
import type { ServiceName } from '../domain/names.ts';
import { effectiveValue } from '../domain/settings.ts';
import { parseStorageNames, type StorageName } from '../domain/storage-name.ts';
import type { Ports, Storage } from '../ports.ts';

type StoragePorts = Pick<Ports, 'settings' | 'storages'>;

/** The storages of a service in the order of its setting, or those for all. @throws PgbackupError usage, not-found. */
export async function openStorages(
  ports: StoragePorts,
  service: ServiceName | undefined,
  only?: readonly StorageName[],
): Promise<readonly Storage[]> {
  const global = await ports.settings.read('--global');
  const own = service === undefined ? new Map<string, string>() : await ports.settings.read(service);
  const backupDir = effectiveValue('backup-dir', own, global) || undefined;
  const names = only ?? parseStorageNames(effectiveValue('storages', own, global));
  return names.map((name) => ports.storages.open(name, backupDir));
}

/**
 * Two storages that are one place would take each other's copies back.
 * @throws PgbackupError refused. A storage that cannot be opened is told by its use.
 */
export function mustDiffer(ports: Pick<Ports, 'storages'>, names: readonly StorageName[], backupDir: string | undefined): void {
  const seen = new Map<string, StorageName>();
  for (const name of names) {
    const identity = identityOf(ports, name, backupDir);
    const other = seen.get(identity);
    if (other !== undefined) {
      throw new PgbackupError('refused', `Storages ${other} and ${name} are the same place: a backup would lie there once, and not twice`, {
        hint: 'Take one of them out: dokku pgbackup:set <target> storages …',
      });
    }
    seen.set(identity, name);
  }
}

function identityOf(ports: Pick<Ports, 'storages'>, name: StorageName, backupDir: string | undefined): string {
  try {
    return ports.storages.identity(name, backupDir);
  } catch {
    return `unknown ${name}`;
  }
}

/**
 * Ids of backups that a storage lacks since it failed when they were taken, as their manifests in another storage tell.
 * What it has pruned, or was never asked to hold, it does not lack. A storage that cannot be read is told by `warn`.
 * @param prefix of the backups of one host and service. @returns by the storage's name, oldest first.
 */
export async function missingCopies(
  storages: readonly Storage[],
  prefix: string,
  warn: (text: string) => void,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const listed = await Promise.all(storages.map((storage) => idsIn(storage, prefix, warn)));
  const homes = new Map(listed.flatMap((ids, i) => [...(ids ?? [])].map((id) => [id, storages[i]] as const)));
  const missing = new Map<string, string[]>();
  for (const [i, storage] of storages.entries()) {
    const ids = listed[i];
    if (ids === undefined) continue;
    for (const id of [...homes.keys()].filter((candidate) => !ids.has(candidate)).toSorted())
      if (await failedThere(homes.get(id), `${prefix}${id}/manifest.json`, storage.name))
        missing.set(storage.name, [...(missing.get(storage.name) ?? []), id]);
  }
  return missing;
}

/** Ids of the backups under the prefix; undefined: the storage cannot be listed. */
async function idsIn(storage: Storage, prefix: string, warn: (text: string) => void): Promise<ReadonlySet<string> | undefined> {
  const ids = new Set<string>();
  try {
    for await (const { key } of storage.list(prefix))
      if (key.endsWith('/manifest.json')) ids.add(key.slice(prefix.length).split('/')[0] ?? '');
    return ids;
  } catch (error) {
    warn(`Whether ${storage.name} has all backups is not known: ${messageOf(error)}`);
    return undefined;
  }
}

async function failedThere(home: Storage | undefined, key: string, name: string): Promise<boolean> {
  try {
    const manifest = home && parseManifest(await home.readText(key), key);
    return manifest?.storages?.some((state) => state.name === name && !state.stored) === true;
  } catch {
    // One that cannot be read is told by whoever reads it.
    return false;
  }
}
