import { isBackupId, type BackupId } from '../domain/backup-id.ts';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import { parseManifest, type Manifest } from '../domain/manifest.ts';
import type { ServiceName } from '../domain/names.ts';
import type { Ports, Storage } from '../ports.ts';

/** A backup as the catalog knows it. */
export interface CatalogEntry {
  readonly manifest: Manifest;
  readonly storage: Storage;
  /** Key of the folder that holds archive and manifest, with a slash at its end. */
  readonly folder: string;
}

/** A manifest that cannot be read: not a backup, and not to be passed over in silence. */
export interface CatalogProblem {
  readonly key: string;
  readonly message: string;
}

export interface Catalog {
  /** Oldest first. */
  readonly entries: readonly CatalogEntry[];
  readonly problems: readonly CatalogProblem[];
  /** Where it was read. */
  readonly storage: Storage;
}

/** Key of the folder of a backup: the host stands first, so that two hosts may share a storage. */
export function backupFolder(host: string, service: string, id: BackupId): string {
  return `${host}/${service}/${id}/`;
}

/** Key of the archive of a backup. */
export function archiveKey(entry: CatalogEntry): string {
  return entry.folder + entry.manifest.archive.file;
}

/** Reads the manifests in a storage, of one service or of all; nothing but these files says what backups there are. */
export async function readCatalog(storage: Storage, service: string | undefined): Promise<Catalog> {
  const entries: CatalogEntry[] = [];
  const problems: CatalogProblem[] = [];
  const keys = new Set<string>();
  for await (const key of storage.list('')) keys.add(key);
  for (const key of keys) {
    const [, owner, id, file, ...deeper] = key.split('/');
    if (file !== 'manifest.json' || deeper.length > 0 || (service !== undefined && owner !== service)) continue;
    const folder = key.slice(0, -file.length);
    try {
      const where = `${storage.place}/${key}`;
      const manifest = parseManifest(await storage.readText(key), where);
      if (manifest.id !== id || manifest.service.name !== owner) {
        throw new PgbackupError('damaged', `The manifest ${where} is that of another backup (${manifest.id} of ${manifest.service.name})`);
      }
      if (!keys.has(folder + manifest.archive.file))
        throw new PgbackupError('damaged', `The archive of backup ${id} is gone: ${storage.place}/${folder}${manifest.archive.file}`);
      entries.push({ manifest, storage, folder });
    } catch (error) {
      problems.push({ key, message: messageOf(error) });
    }
  }
  entries.sort((a, b) => compare(a.manifest.startedAt, b.manifest.startedAt) || compare(a.manifest.id, b.manifest.id));
  return { entries, problems, storage };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The backup with the id. @throws PgbackupError not-found; usage, when the text is no id. */
export function findBackup(catalog: Catalog, service: string, id: string): CatalogEntry {
  const found = catalog.entries.find((entry) => entry.manifest.id === id);
  if (found) return found;
  const damaged = catalog.problems.find((problem) => idInKey(problem.key) === id);
  if (damaged)
    throw new PgbackupError('damaged', damaged.message, {
      hint: `Without its manifest an archive is no backup. It may still restore by its path, unproven. To be rid of it: dokku pgbackup:delete ${service} ${id}`,
    });
  throw new PgbackupError('not-found', `Backup ${id} of ${service} not found in ${catalog.storage.place}`, {
    hint: isBackupId(id)
      ? `List them: dokku pgbackup:list ${service}`
      : `An id looks like ${service}-20261120T031500Z-k3f9. List them: dokku pgbackup:list ${service}`,
  });
}

/**
 * The newest backup that the host itself has taken. Another host may share the storage, and have a service of the
 * same name with quite other data: its backups are taken by their id alone. Nor does one of some schemas stand in for the database.
 * @throws PgbackupError no-backup; damaged, when the manifest of a newer one cannot be read: an older one in its
 * place would be a silent loss of what was written in between.
 */
export function latestBackup(catalog: Catalog, service: string, host: string): CatalogEntry {
  const found = newestOf(catalog, host);
  const own = catalog.problems.filter((problem) => problem.key.startsWith(`${host}/`));
  const newer = own.find((problem) => timeInKey(problem.key) >= (found ? timeInKey(`${found.folder}manifest.json`) : ''));
  if (newer) {
    throw new PgbackupError('damaged', `The newest backup of ${service} cannot be read: ${newer.message}`, {
      hint: `To use an older one, give its id: dokku pgbackup:list ${service}`,
    });
  }
  if (found) return found;
  const foreign = catalog.entries.at(-1);
  if (foreign) {
    throw new PgbackupError(
      'no-backup',
      `This host (${host}) has taken no backup of ${service}; those in ${foreign.storage.place} are from ${hostOf(foreign)}`,
      {
        hint: `To use the newest of them, give its id: ${foreign.manifest.id}`,
      },
    );
  }
  throw new PgbackupError('no-backup', `Service ${service} has no backup in ${catalog.storage.place}`, {
    hint: `Take one: dokku pgbackup:run ${service}`,
  });
}

/** The newest backup in the catalog that the host has taken: of the whole database, if there is any such. */
export function newestOf(catalog: Catalog, host: string): CatalogEntry | undefined {
  const own = catalog.entries.filter((entry) => hostOf(entry) === host);
  return own.findLast((entry) => entry.manifest.schemas.length === 0) ?? own.at(-1);
}

/** The host that took the backup, by where it lies: that decides whose it is, whatever the manifest says. */
export function hostOf(entry: CatalogEntry): string {
  return entry.folder.split('/')[0] ?? '';
}

/** The id that a manifest's folder bears. */
export function idInKey(key: string): string {
  return key.split('/')[2] ?? '';
}

/** The time in the id of a backup's folder, which sorts; empty, where the folder bears no id. */
function timeInKey(key: string): string {
  return /-(\d{8}T\d{6}Z)-[a-z0-9]+\/manifest\.json$/.exec(key)?.[1] ?? '';
}

/** The storage of a service, or the one for all when its settings name none. @throws PgbackupError usage. */
export async function openStorage(ports: Pick<Ports, 'settings' | 'storage'>, service: ServiceName | undefined): Promise<Storage> {
  const global = await ports.settings.read('--global');
  const own = service === undefined ? new Map<string, string>() : await ports.settings.read(service);
  return ports.storage(own.get('backup-dir') || global.get('backup-dir') || undefined);
}
