import { isBackupId, type BackupId } from '../domain/backup-id.ts';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import { parseForeignBackup, type ForeignBackup } from '../domain/foreign-backup.ts';
import { isServiceName } from '../domain/names.ts';
import { parseManifest, type Manifest } from '../domain/manifest.ts';
import type { Reporter, Storage } from '../ports.ts';

/** A backup as the catalog knows it. */
export interface CatalogEntry {
  readonly manifest: Manifest;
  /** Where it is read from: the first of its copies. */
  readonly storage: Storage;
  /** All storages that have it whole, in the order in which they were asked for. */
  readonly copies: readonly Storage[];
  /** Key of the folder that holds archive and manifest, with a slash at its end; the same in every storage. */
  readonly folder: string;
}

/** A manifest that cannot be read: not a backup, and not to be passed over in silence. */
export interface CatalogProblem {
  readonly key: string;
  readonly message: string;
  readonly storage: Storage;
  /** It was read and is none. False: the storage did not give it, and it may be whole. */
  readonly damaged: boolean;
}

/** An object that dokku-postgres has put beside our backups. */
export interface ForeignEntry extends ForeignBackup {
  readonly key: string;
  readonly storage: Storage;
}

/** How a restore is told to read an object. */
export function addressOf({ storage, key }: Pick<ForeignEntry, 'storage' | 'key'>): string {
  return `${storage.place}/${key}`;
}

/** A storage that could not be listed: what it alone holds is not known. */
export interface UnreadStorage {
  readonly storage: Storage;
  readonly error: unknown;
}

export interface Catalog {
  /** Oldest first. */
  readonly entries: readonly CatalogEntry[];
  readonly problems: readonly CatalogProblem[];
  /** Where it was read. */
  readonly storages: readonly Storage[];
  readonly unread: readonly UnreadStorage[];
  /** Oldest first, as far as their names tell. */
  readonly foreign: readonly ForeignEntry[];
}

/** Key of the folder of a backup: the host stands first, so that two hosts may share a storage. */
export function backupFolder(host: string, service: string, id: BackupId): string {
  return `${host}/${service}/${id}/`;
}

/** Key of the archive of a backup. */
export function archiveKey(entry: CatalogEntry): string {
  return entry.folder + entry.manifest.archive.file;
}

/** The places of a catalog, for messages. */
export function placesOf({ storages }: Pick<Catalog, 'storages'>): string {
  return storages.map(({ place }) => place).join(' and ');
}

/**
 * Reads the manifests in the storages, of one service or of all; nothing but these files says what backups there are.
 * @throws PgbackupError storage, when none of them can be read.
 */
export async function readCatalog(storages: readonly Storage[], service: string | undefined): Promise<Catalog> {
  const settled = await Promise.allSettled(storages.map((storage) => readStorage(storage, service)));
  const unread: UnreadStorage[] = [];
  const problems: CatalogProblem[] = [];
  const entries = new Map<string, CatalogEntry>();
  const foreign: ForeignEntry[] = [];
  for (const [i, result] of settled.entries()) {
    const storage = storages[i];
    if (!storage) continue;
    if (result.status === 'rejected') {
      unread.push({ storage, error: result.reason });
      continue;
    }
    problems.push(...result.value.problems);
    foreign.push(...result.value.foreign);
    for (const { manifest, folder } of result.value.found) {
      const other = entries.get(folder);
      if (!other) entries.set(folder, { manifest, storage, copies: [storage], folder });
      else if (other.manifest.archive.storedSha256 === manifest.archive.storedSha256)
        entries.set(folder, { ...other, copies: [...other.copies, storage] });
      else {
        const message = `Backup ${manifest.id} in ${storage.place} is another than the one in ${other.storage.place}`;
        problems.push({ key: `${folder}manifest.json`, message, storage, damaged: true });
      }
    }
  }
  if (unread.length === storages.length && unread[0]) throw unread[0].error;
  const sorted = [...entries.values()].toSorted(
    (x, y) => compare(x.manifest.startedAt, y.manifest.startedAt) || compare(x.manifest.id, y.manifest.id),
  );
  return { entries: sorted, problems, storages, unread, foreign: foreign.toSorted((x, y) => compare(x.taken, y.taken)) };
}

/** How many small objects are read at the same time. A local disk answers at once; a distant storage is waited for. */
const readersAtOnce = 48;

interface StorageContents {
  readonly found: readonly { readonly manifest: Manifest; readonly folder: string }[];
  readonly problems: readonly CatalogProblem[];
  readonly foreign: readonly ForeignEntry[];
}

async function readStorage(storage: Storage, service: string | undefined): Promise<StorageContents> {
  const keys = new Set<string>();
  for await (const { key } of storage.list('')) keys.add(key);
  const manifests = [...keys].filter((key) => {
    const [, owner, , file, ...deeper] = key.split('/');
    return file === 'manifest.json' && deeper.length === 0 && (service === undefined || owner === service);
  });
  const found: { manifest: Manifest; folder: string }[] = [];
  const problems: CatalogProblem[] = [];
  let next = 0;
  const reader = async (): Promise<void> => {
    for (;;) {
      const key = manifests[next];
      next += 1;
      if (key === undefined) return;
      try {
        found.push(await readManifest(storage, key, keys));
      } catch (error) {
        // Pruned by somebody meanwhile: it is no backup any more, and no problem.
        if (error instanceof PgbackupError && error.code === 'not-found') continue;
        problems.push({ key, message: messageOf(error), storage, damaged: error instanceof PgbackupError && error.code === 'damaged' });
      }
    }
  };
  await Promise.all(Array.from({ length: readersAtOnce }, reader));
  const foreign = [...keys].flatMap((key) => {
    const told = parseForeignBackup(key);
    return told && (service === undefined || told.service === service) ? [{ ...told, key, storage }] : [];
  });
  return { found, problems, foreign };
}

async function readManifest(storage: Storage, key: string, keys: ReadonlySet<string>): Promise<{ manifest: Manifest; folder: string }> {
  const [, owner, id] = key.split('/');
  const folder = key.slice(0, key.lastIndexOf('/') + 1);
  const where = `${storage.place}/${key}`;
  const manifest = parseManifest(await storage.readText(key), where);
  // They become words of commands that are printed to be typed.
  if (!isBackupId(id ?? '') || !isServiceName(owner ?? ''))
    throw new PgbackupError('damaged', `The manifest ${where} lies where no backup of ours does`);
  if (manifest.id !== id || manifest.service.name !== owner) {
    throw new PgbackupError('damaged', `The manifest ${where} is that of another backup`);
  }
  // An id is made of the time: whoever writes another one into the manifest would change what is newest.
  if (!id?.includes(`-${manifest.startedAt.slice(0, 19).replaceAll(/[-:]/g, '')}Z-`))
    throw new PgbackupError('damaged', `The manifest ${where} has another time than its id`);
  if (!keys.has(folder + manifest.archive.file))
    throw new PgbackupError('damaged', `The archive of backup ${id} is gone: ${storage.place}/${folder}${manifest.archive.file}`);
  return { manifest, folder };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The backup with the id: the host's own, where another one has one of the same id in a storage that they share.
 * @throws PgbackupError not-found; usage, when the text is no id; refused, when several other hosts have one.
 */
export function findBackup(catalog: Catalog, service: string, id: string, host: string): CatalogEntry {
  const [found, ...more] = preferred(
    catalog.entries.filter((entry) => entry.manifest.id === id),
    host,
  );
  if (found && more.length > 0) {
    throw new PgbackupError('refused', `Several hosts have a backup ${id}: ${[found, ...more].map(hostOf).join(', ')}`, {
      hint: 'Their ids are made of the time and of chance: look at who writes to this storage. One of them restores by its address: s3://…',
    });
  }
  if (found) return found;
  const damaged = catalog.problems.find((problem) => idInKey(problem.key) === id);
  if (damaged)
    throw new PgbackupError('damaged', damaged.message, {
      hint: `Without its manifest an archive is no backup. It may still restore by its path, unproven. To be rid of it: dokku pgbackup:delete ${service} ${id}`,
    });
  throw new PgbackupError('not-found', `Backup ${id} of ${service} not found in ${placesOf(catalog)}`, {
    hint: isOfAnother(id, service)
      ? `It is a backup of ${serviceOfId(id)}: dokku pgbackup:restore ${serviceOfId(id)} ${id} --into ${service}`
      : isBackupId(id)
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
export function latestBackup(catalog: Catalog, service: string, host: string, now: Date): CatalogEntry {
  const found = newestOf(catalog, host, now);
  // One that another storage has whole is no loss.
  const whole = new Set(catalog.entries.map((entry) => `${entry.folder}manifest.json`));
  const own = catalog.problems.filter(({ key }) => key.startsWith(`${host}/`) && !whole.has(key));
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
      `Host ${host} has taken no backup of ${service}; those in ${placesOf(catalog)} are from ${[...new Set(catalog.entries.map(hostOf))].join(', ')}`,
      {
        hint: `To use the newest of them, give its id: ${foreign.manifest.id}; or in place of --latest alone: --latest --from-host ${hostOf(foreign)}`,
      },
    );
  }
  throw new PgbackupError('no-backup', `Service ${service} has no backup in ${placesOf(catalog)}`, {
    hint: `Take one: dokku pgbackup:run ${service}`,
  });
}

/** The newest backup, for what cannot be taken back lightly. @throws PgbackupError also storage, while one is away that may hold a newer one. */
export function surelyLatest(catalog: Catalog, service: string, host: string, now: Date): CatalogEntry {
  const found = latestBackup(catalog, service, host, now);
  const [away] = catalog.unread;
  if (!away) return found;
  const { id } = found.manifest;
  throw new PgbackupError(
    'storage',
    `${away.storage.name} cannot be read, and may hold a newer backup than ${id}: ${messageOf(away.error)}`,
    {
      hint: `To take that one all the same, give its id, or the storage: --latest --storage ${found.storage.name}`,
    },
  );
}

function preferred(entries: readonly CatalogEntry[], host: string): readonly CatalogEntry[] {
  const own = entries.filter((entry) => hostOf(entry) === host);
  return own.length > 0 ? own : entries;
}

function serviceOfId(id: string): string {
  return id.replace(/-\d{8}T\d{6}Z-[a-z0-9]{4}$/, '');
}

function isOfAnother(id: string, service: string): boolean {
  return isBackupId(id) && serviceOfId(id) !== service;
}

/** How far a clock may be ahead before what it has dated is not believed. */
const skew = 60 * 60 * 1000;

/**
 * The newest backup in the catalog that the host has taken: of the whole database, if there is any such. One that is
 * dated in the future was taken while the clock was wrong, and is the newest only where there is no other (pitfall 24).
 */
export function newestOf(catalog: Catalog, host: string, now: Date): CatalogEntry | undefined {
  const all = catalog.entries.filter((entry) => hostOf(entry) === host);
  const past = all.filter(({ manifest }) => Date.parse(manifest.startedAt) <= now.getTime() + skew);
  const own = past.length > 0 ? past : all;
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

/** Says what a catalog could not read: neither a manifest nor a whole storage is passed over in silence. */
export function warnOfGaps(reporter: Pick<Reporter, 'warn'>, { problems, unread }: Catalog): void {
  for (const { storage, error } of unread) reporter.warn(`${storage.name} cannot be read, and is left out: ${messageOf(error)}`);
  for (const { message } of problems) reporter.warn(message);
}
