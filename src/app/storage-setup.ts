import { PgbackupError } from '../domain/errors.ts';
import type { ServiceName } from '../domain/names.ts';
import type { StorageConfig } from '../domain/storage-config.ts';
import { localStorage, parseStorageNames, type StorageName } from '../domain/storage-name.ts';
import type { Ports, Storage } from '../ports.ts';
import { confirmByName, type Consent } from './confirm.ts';
import { tryStorage } from './settings.ts';

/**
 * Makes a storage, or with `replace` sets up one anew. A directory is tried at once; a bucket needs its keys first.
 * @throws PgbackupError usage, refused (there is one), storage; what was there before is there still.
 */
export async function createStorage(
  ports: Pick<Ports, 'storages' | 'clock'>,
  name: StorageName,
  config: StorageConfig,
  replace: boolean,
): Promise<void> {
  if (name === localStorage) {
    throw new PgbackupError('usage', 'The storage "local" is always there', {
      hint: 'To move it: dokku pgbackup:set --global backup-dir <path>. For a second directory give another name',
    });
  }
  if (!replace && ports.storages.list().includes(name)) {
    throw new PgbackupError('refused', `There is a storage called "${name}" already`, {
      hint: `To set it up anew, add: --replace. To look at it: dokku pgbackup:storage-list`,
    });
  }
  const before = configOf(ports, name);
  await ports.storages.write(name, config);
  if (config.kind !== 'local') return;
  try {
    await tryStorage(ports.storages.open(name, undefined), `.probe-${ports.clock.suffix()}`);
  } catch (error) {
    await (before ? ports.storages.write(name, before) : ports.storages.remove(name));
    throw error;
  }
}

/** How it is set up; undefined where that cannot be read, or there is none. */
function configOf(ports: Pick<Ports, 'storages'>, name: StorageName): StorageConfig | undefined {
  try {
    return ports.storages.config(name);
  } catch {
    return undefined;
  }
}

export interface StorageSummary {
  readonly name: StorageName;
  readonly config: StorageConfig | undefined;
  readonly place: string;
  readonly keyId: string | undefined;
  /** Services, and `--global`, whose setting names it. */
  readonly usedBy: readonly string[];
  /** What keeps its set-up from being read. */
  readonly problem: string | undefined;
}

/** The storages of this host, `local` first. One whose files are damaged does not hide the others. */
export async function listStorages(ports: Pick<Ports, 'storages' | 'settings' | 'schedules'>): Promise<readonly StorageSummary[]> {
  const users = await storageUsers(ports);
  const global = await ports.settings.read('--global');
  const backupDir = global.get('backup-dir') || undefined;
  return [localStorage, ...ports.storages.list()].map((name) => {
    const usedBy = users.get(name) ?? [];
    try {
      return {
        name,
        config: name === localStorage ? undefined : ports.storages.config(name),
        place: ports.storages.open(name, backupDir).place,
        keyId: name === localStorage ? undefined : ports.storages.keyId(name),
        usedBy,
        problem: undefined,
      };
    } catch (error) {
      return {
        name,
        config: undefined,
        place: '',
        keyId: undefined,
        usedBy,
        problem: error instanceof Error ? error.message : String(error),
      };
    }
  });
}

/** Who names which storage: every scope that has a setting of its own, `--global` for the rest, and schedules. */
async function storageUsers(ports: Pick<Ports, 'settings' | 'schedules'>): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, string[]>();
  for (const scope of ['--global', ...(await ports.settings.scopes())] as (ServiceName | '--global')[]) {
    const own = (await ports.settings.read(scope)).get('storages') || (scope === '--global' ? 'local' : '');
    if (own === '') continue;
    for (const name of parseStorageNames(own)) users.set(name, [...(users.get(name) ?? []), scope]);
  }
  for (const entry of (await ports.schedules.list()).entries)
    for (const name of entry.storages ?? []) users.set(name, [...(users.get(name) ?? []), `schedule ${entry.id} of ${entry.service}`]);
  return users;
}

/**
 * Forgets a storage and its keys; what lies there stays.
 * @throws PgbackupError not-found, refused (a service still sends its backups there), confirmation.
 */
export async function destroyStorage(
  ports: Pick<Ports, 'storages' | 'settings' | 'schedules' | 'reporter'>,
  name: StorageName,
  consent: Consent,
): Promise<void> {
  if (name === localStorage) throw new PgbackupError('usage', 'The storage "local" is always there');
  // Told where it is not there, also when it cannot be read.
  if (!ports.storages.list().includes(name)) ports.storages.config(name);
  const users = (await storageUsers(ports)).get(name) ?? [];
  if (users.length > 0) {
    const [first = ''] = users;
    const schedule = /^schedule (\S+) of (\S+)$/.exec(first);
    throw new PgbackupError('refused', `Storage ${name} is in use by ${users.map(nameOf).join(', ')}`, {
      hint: schedule
        ? `Remove the schedule first: dokku pgbackup:unschedule ${schedule[2]} ${schedule[1]}`
        : `Take it out of their settings first: dokku pgbackup:set ${first} storages <the others>`,
    });
  }
  await confirmByName(ports.reporter, name, consent, 'Destroy', `storage ${name} and its keys would be forgotten (what lies there stays)`);
  await ports.storages.remove(name);
}

function nameOf(scope: string): string {
  return scope === '--global' ? 'all services (--global)' : scope;
}

/** The storage and the key behind an address like `s3://bucket/key`: by the storage named, or the one set up for that bucket. */
export function openAddress(
  ports: Pick<Ports, 'storages'>,
  address: string,
  name: StorageName | undefined,
): { readonly storage: Storage; readonly key: string } {
  if (name !== undefined) return ports.storages.openAddress(name, address);
  const bucket = /^s3:\/\/([^/]+)\/./.exec(address)?.[1];
  if (bucket === undefined)
    throw new PgbackupError('usage', `"${address}" is no address of an object`, { hint: 'It looks like s3://bucket/path/file.tgz' });
  const fitting = ports.storages.list().filter((one) => {
    const config = ports.storages.config(one);
    return config.kind === 's3' && config.bucket === bucket;
  });
  const [only, ...more] = fitting;
  if (only === undefined) {
    throw new PgbackupError('not-found', `No storage is set up for bucket ${bucket}`, {
      hint: `Set one up (dokku pgbackup:storage-create <name> s3 --bucket ${bucket} …), or name the one whose keys can read it: --storage <name>`,
    });
  }
  if (more.length > 0) {
    throw new PgbackupError('usage', `Several storages are set up for bucket ${bucket}: ${fitting.join(', ')}`, {
      hint: `Say which: --storage ${only}`,
    });
  }
  return ports.storages.openAddress(only, address);
}
