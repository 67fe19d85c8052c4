import { messageOf } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import { isServiceName, type ServiceName } from '../domain/names.ts';
import type { PreviousDatabase } from '../domain/previous.ts';
import type { LogEntry, Ports } from '../ports.ts';
import { hostOf, readCatalog, type Catalog, type CatalogEntry } from './catalog.ts';
import { schedulesHealth, type EntryHealth, type ProvenBackup } from './overdue.ts';
import { openStorages } from './storages.ts';

export type StatusPorts = Pick<
  Ports,
  'clock' | 'dokku' | 'settings' | 'storages' | 'schedules' | 'previous' | 'journals' | 'locks' | 'log' | 'host' | 'reporter'
>;

/** How it stands with the backups of one service. */
export interface ServiceStatus {
  readonly service: ServiceName;
  /** What is wrong, in words; empty: all is well. */
  readonly problems: readonly string[];
  readonly backups: number;
  /** The newest proven backup of the whole database that this host has taken. */
  readonly newest: CatalogEntry | undefined;
  readonly schedules: readonly EntryHealth[];
  /** The last backup in the log that failed; undefined: none has. */
  readonly lastFailure: LogEntry | undefined;
  /** Storages, of those its backups go to, that lack the newest one. */
  readonly behind: readonly string[];
  /** Id of an operation that was begun and is not finished, and whether it is still under way. */
  readonly unfinished: { readonly id: string; readonly running: boolean } | undefined;
  readonly previous: PreviousDatabase | undefined;
  /** Own backups, oldest first. */
  readonly entries: readonly CatalogEntry[];
}

/** The status of the services; undefined: of all that have schedules or backups. @throws PgbackupError storage, usage, damaged. */
export async function readStatus(ports: StatusPorts, only: ServiceName | undefined): Promise<readonly ServiceStatus[]> {
  const { entries: scheduled, problems } = await ports.schedules.list();
  const catalogs = new Catalogs(ports);
  const names = only === undefined ? await servicesOf(ports, catalogs, [...scheduled, ...problems]) : [only];
  const read = await Promise.all(names.map(async (service) => ({ service, catalog: await catalogs.of(service) })));
  const backups = read.flatMap(({ catalog }) => ('entries' in catalog ? provenBackups(ports, catalog) : []));
  const health = await schedulesHealth(ports, backups);
  const log = await ports.log.read();
  return Promise.all(
    read.map(async ({ service, catalog }) => {
      const broken = problems.filter((problem) => problem.service === service).map(({ error }) => error.message);
      const schedules = health.filter(({ entry }) => entry.service === service);
      return serviceStatus(ports, service, catalog, schedules, broken, log);
    }),
  );
}

/** Proven backups of this host, of the whole database. */
export function provenBackups({ host }: Pick<Ports, 'host'>, { entries }: Pick<Catalog, 'entries'>): ProvenBackup[] {
  return entries
    .filter((entry) => hostOf(entry) === host.id && entry.manifest.schemas.length === 0)
    .map(({ manifest, copies }) => ({
      service: manifest.service.name,
      startedAt: manifest.startedAt,
      storages: copies.map(({ name }) => name),
    }));
}

/** A catalog, or why none of its storages could be read. */
type Read = Catalog | { readonly unreadable: string };

/** Catalogs by service. Those of services that have no storages of their own are parts of one, which is read once. */
class Catalogs {
  readonly #ports: StatusPorts;
  #common: Promise<Read> | undefined;

  constructor(ports: StatusPorts) {
    this.#ports = ports;
  }

  common(): Promise<Read> {
    return (this.#common ??= this.#read(undefined));
  }

  async of(service: ServiceName): Promise<Read> {
    if (!this.#common || (await this.hasOwn(service))) return this.#read(service);
    const common = await this.#common;
    if ('unreadable' in common) return common;
    return {
      ...common,
      entries: common.entries.filter(({ manifest }) => manifest.service.name === service),
      problems: common.problems.filter(({ key }) => key.split('/')[1] === service),
    };
  }

  async hasOwn(service: ServiceName): Promise<boolean> {
    const own = await this.#ports.settings.read(service);
    return Boolean(own.get('backup-dir') || own.get('storages'));
  }

  async #read(service: ServiceName | undefined): Promise<Read> {
    try {
      return await readCatalog(await openStorages(this.#ports, service), service);
    } catch (error) {
      return { unreadable: messageOf(error) };
    }
  }
}

async function servicesOf(
  ports: StatusPorts,
  catalogs: Catalogs,
  scheduled: readonly { readonly service: string }[],
): Promise<ServiceName[]> {
  const common = await catalogs.common();
  const backedUp = 'entries' in common ? common.entries.filter((entry) => hostOf(entry) === ports.host.id) : [];
  const elsewhere: string[] = [];
  try {
    for (const service of await ports.dokku.services()) if (await catalogs.hasOwn(service)) elsewhere.push(service);
  } catch (error) {
    ports.reporter.warn(`Services with storages of their own, and no schedules, are left out: ${messageOf(error)}`);
  }
  const names = [...scheduled.map(({ service }) => service), ...backedUp.map(({ manifest }) => manifest.service.name), ...elsewhere];
  return [...new Set(names)].filter(isServiceName).toSorted();
}

async function serviceStatus(
  ports: StatusPorts,
  service: ServiceName,
  catalog: Read,
  schedules: readonly EntryHealth[],
  broken: readonly string[],
  log: readonly LogEntry[],
): Promise<ServiceStatus> {
  const entries = 'entries' in catalog ? catalog.entries.filter((entry) => hostOf(entry) === ports.host.id) : [];
  const newest = entries.findLast(({ manifest }) => manifest.schemas.length === 0);
  const lacking = (newest?.manifest.storages ?? []).filter(({ name }) => !newest?.copies.some((storage) => storage.name === name));
  const attempts = log.filter((entry) => entry.service === service && entry.operation === 'backup');
  const lastFailure = attempts.findLast(({ outcome }) => outcome === 'failed');
  const unfinished = await readUnfinished(ports, service);
  const problems = [
    ...broken,
    ...('unreadable' in catalog ? [`Its backups cannot be looked at: ${catalog.unreadable}`] : []),
    ...('unread' in catalog ? catalog.unread : []).map(
      ({ storage, error }) => `Storage ${storage.name} cannot be read: ${messageOf(error)}`,
    ),
    ...('problems' in catalog ? catalog.problems : [])
      .filter(({ key }) => key.startsWith(`${ports.host.id}/`))
      .map(({ message }) => message),
    ...('entries' in catalog && newest === undefined && schedules.length === 0 ? ['There is no backup, and no schedule'] : []),
    ...schedules.flatMap(describeHealth),
    ...(lastFailure && attempts.at(-1) === lastFailure
      ? [`The last backup, ${formatTime(lastFailure.time)}, failed: ${lastFailure.message}`]
      : []),
    ...lacking.map(({ name, message }) => `The newest backup is not in ${name}${message === null ? '' : `: ${message}`}`),
    ...(unfinished && !unfinished.running ? [`Operation ${unfinished.id} was cut off: dokku pgbackup:doctor ${service}`] : []),
  ];
  return {
    service,
    problems,
    backups: entries.length,
    newest,
    schedules,
    lastFailure,
    behind: lacking.map(({ name }) => name),
    unfinished,
    previous: await ports.previous.read(service),
    entries,
  };
}

/** What is wrong with a schedule, in words: nothing, while it may still be under way. */
export function describeHealth({ entry, state, missedSince, newest }: EntryHealth): string[] {
  if (state !== 'overdue' && state !== 'never') return [];
  const due = missedSince === undefined ? '' : ` since ${formatTime(missedSince.toISOString())}`;
  const last = newest === undefined ? 'there is none at all' : `the newest is of ${formatTime(newest.toISOString())}`;
  return [`Schedule ${entry.id} ("${entry.cron}") lacks a backup${due}: ${last}`];
}

/** An operation that has its service locked is under way; one that has not was cut off. */
async function readUnfinished(ports: StatusPorts, service: ServiceName): Promise<ServiceStatus['unfinished']> {
  const id = (await ports.journals.read(service))?.operation;
  if (id === undefined) return undefined;
  try {
    await using _lock = await ports.locks.acquire(service, 'status');
    // It may have ended between the two.
    return (await ports.journals.read(service)) && { id, running: false };
  } catch {
    return { id, running: true };
  }
}
