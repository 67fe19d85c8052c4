import { PgbackupError } from '../domain/errors.ts';
import { parseManifest } from '../domain/manifest.ts';
import type { ServiceName } from '../domain/names.ts';
import { effectiveValue } from '../domain/settings.ts';
import type { StorageName } from '../domain/storage-name.ts';
import type { Keyring, Ports, Spool, Storage } from '../ports.ts';
import { fetchIntoSpool } from './backup-origin.ts';
import { archiveKey, findBackup, surelyLatest, readCatalog, warnOfGaps, type Catalog, type CatalogEntry } from './catalog.ts';
import type { SourceChoice } from './restore-source.ts';
import { openAddress } from './storage-setup.ts';
import { openStorages } from './storages.ts';

/** Where to restore from, as it was typed. */
export type RequestedSource =
  | { readonly kind: 'latest' }
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'stdin' };

export interface SourceRequest {
  readonly source: RequestedSource;
  /** The storages to look into; undefined: those of the service. */
  readonly storages?: readonly StorageName[];
  /** The host whose newest backup is meant; undefined: this one. */
  readonly fromHost?: string;
  readonly sha256: string | undefined;
}

type ChoosePorts = Pick<Ports, 'clock' | 'sources' | 'storages' | 'settings' | 'host' | 'reporter'>;

/**
 * Finds what was asked for. Standard input and objects that are no backups of ours are kept in the spool first: a
 * source must be seen whole before anything is touched.
 * @param hold marks a backup before anything of it is read, so that nobody prunes it meanwhile.
 * @param jobs with more than one, a backup that lies elsewhere is brought here, since pg_restore has to seek in it then.
 * @throws PgbackupError not-found, no-backup, damaged, usage, storage, refused (no room).
 */
export async function chooseSource(
  ports: ChoosePorts,
  request: SourceRequest,
  owner: ServiceName,
  spool: Spool,
  jobs: number,
  hold: (entry: CatalogEntry) => Promise<void>,
): Promise<SourceChoice> {
  const { source, sha256 } = request;
  switch (source.kind) {
    case 'stdin':
      return { kind: 'file', path: await ports.sources.keepStdin(spool), label: 'standard input', sha256 };
    case 'path':
      return {
        kind: 'file',
        path: source.path,
        label: source.path,
        sha256: sha256 ?? (await ports.sources.checksumBeside(source.path)),
      };
    case 'address': {
      const { storage, key } = openAddress(ports, source.address, request.storages?.[0]);
      const entry = await backupAt(storage, key);
      if (entry) {
        await hold(entry);
        return backupChoice(ports, entry, spool, jobs);
      }
      return { kind: 'file', path: await fetchIntoSpool(ports, storage, key, spool), label: source.address, sha256 };
    }
    case 'id':
    case 'latest': {
      const catalog = await readCatalog(await openStorages(ports, owner, request.storages), owner);
      warnOfGaps(ports.reporter, catalog);
      const entry = lookedFor(ports, catalog, () =>
        source.kind === 'id'
          ? findBackup(catalog, owner, source.id, ports.host.id)
          : surelyLatest(catalog, owner, request.fromHost ?? ports.host.id, ports.clock.now()),
      );
      await hold(entry);
      return backupChoice(ports, entry, spool, jobs);
    }
  }
}

/** What is not in the storages of a service may be in one that the host knows besides: as on a new host. */
function lookedFor(ports: Pick<Ports, 'storages'>, catalog: Catalog, find: () => CatalogEntry): CatalogEntry {
  try {
    return find();
  } catch (error) {
    const missing = error instanceof PgbackupError && (error.code === 'not-found' || error.code === 'no-backup');
    const others = ports.storages.list().filter((name) => !catalog.storages.some((storage) => storage.name === name));
    if (!missing || others.length === 0) throw error;
    const [which, option] = others.length === 1 ? ['another storage', others[0]] : [`one of ${others.join(', ')}`, '<storage>'];
    throw new PgbackupError(error.code, error.message, {
      cause: error,
      hint: `${error.hint}\nIt may be in ${which}: --storage ${option}. What lies there: dokku pgbackup:discover ${option}`,
    });
  }
}

async function backupChoice(ports: ChoosePorts, entry: CatalogEntry, spool: Spool, jobs: number): Promise<SourceChoice> {
  const { archive } = entry.manifest;
  const seekable = archive.encryption === null && archive.wrapping === null;
  const here = entry.copies.some((storage) => storage.filePath(archiveKey(entry)) !== undefined);
  // Of what is wrapped nobody can seek in, so that a copy here would be of no use.
  const fetched = jobs > 1 && seekable && !here ? await fetchIntoSpool(ports, entry.storage, archiveKey(entry), spool) : undefined;
  return { kind: 'backup', entry, fetched };
}

/** The backup that an address leads to: one that names the archive of ours, with its manifest beside it. */
async function backupAt(storage: Storage, key: string): Promise<CatalogEntry | undefined> {
  const folder = key.slice(0, key.lastIndexOf('/') + 1);
  const file = key.slice(folder.length);
  if (!file.startsWith('archive.dump') && file !== 'manifest.json') return undefined;
  if (!(await storage.head(`${folder}manifest.json`))) return undefined;
  const manifest = parseManifest(await storage.readText(`${folder}manifest.json`), `${storage.place}/${folder}manifest.json`);
  if (file !== 'manifest.json' && file !== manifest.archive.file) return undefined;
  return { manifest, storage, copies: [storage], folder };
}

/** The keys that were given, and the passphrase that is kept on this host for the archives of the service. */
export async function withKeptPassphrase(ports: Pick<Ports, 'settings'>, service: ServiceName, keys: Keyring): Promise<Keyring> {
  if (keys.passphrase !== undefined) return keys;
  const kept = effectiveValue('passphrase', await ports.settings.read(service), await ports.settings.read('--global'));
  return kept === '' ? keys : { ...keys, passphrase: kept };
}

/** @throws PgbackupError refused, when nothing that was given can open the archive: told before a byte of it is read. */
export async function mustHaveKey(ports: Pick<Ports, 'encryption'>, { manifest }: CatalogEntry, keys: Keyring): Promise<void> {
  const { encryption } = manifest.archive;
  if (encryption === null) return;
  if (encryption.passphrase) {
    if (keys.passphrase !== undefined) return;
    throw new PgbackupError('refused', `Backup ${manifest.id} is encrypted with a passphrase, and none is given`, {
      hint: 'Give it in a file, or on standard input: --passphrase-file -',
    });
  }
  const own = await ports.encryption.recipientsOf(keys.identities);
  if (encryption.recipients.some((recipient) => own.includes(recipient))) return;
  throw new PgbackupError(
    'refused',
    keys.identities.length === 0
      ? `Backup ${manifest.id} is encrypted, and no identity is given`
      : `The identity does not fit: backup ${manifest.id} is encrypted to another`,
    { hint: `Give the identity of one of ${encryption.recipients.map((one) => one.slice(0, 70)).join(', ')}: --identity <file>` },
  );
}
