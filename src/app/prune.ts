import { messageOf, PgbackupError } from '../domain/errors.ts';
import { isServiceName, type ServiceName } from '../domain/names.ts';
import { describeRules, planRetention, type RetentionBackup, type RetentionPolicy } from '../domain/retention.ts';
import { parseSettings } from '../domain/settings.ts';
import type { StorageName } from '../domain/storage-name.ts';
import type { Ports, Storage } from '../ports.ts';
import { tellEnd, type AnnouncementPorts } from './announcement.ts';
import { archiveKey, hostOf, readCatalog, type CatalogEntry } from './catalog.ts';
import { findOrphans, orphanAge, removeOrphans, type Orphan } from './orphans.ts';
import { describePruned, isWorthTelling, type PrunedStorage, type PruneResult } from './prune-result.ts';
import { openStorages } from './storages.ts';

export type PrunePorts = AnnouncementPorts &
  Pick<Ports, 'clock' | 'locks' | 'journals' | 'log' | 'settings' | 'storages' | 'host' | 'reporter' | 'signal'>;

export interface PruneRequest {
  /** Only plan. */
  readonly dryRun: boolean;
  /** Only these storages; undefined: those of the service. */
  readonly storages?: readonly StorageName[] | undefined;
}

/**
 * Removes from each storage of a service what its retention policy does not keep there, and the orphans. The service
 * may be gone. A storage that fails is told in the result, and is no reason not to go on with the others.
 * @throws PgbackupError locked, usage (a setting), damaged (the journal).
 */
export async function prune(ports: PrunePorts, service: ServiceName, request: PruneRequest): Promise<PruneResult> {
  if (request.dryRun) return pruneStorages(ports, service, request);
  const startedAt = ports.clock.now();
  const ended = { service, operation: 'prune', id: null, startedAt, secrets: [] };
  try {
    const result = await pruneLocked(ports, service, request, startedAt);
    if (isWorthTelling(result)) await tellEnd(ports, { ...ended, end: { described: describePruned(result) } });
    return result;
  } catch (error) {
    await tellEnd(ports, { ...ended, end: { error } });
    throw error;
  }
}

async function pruneLocked(ports: PrunePorts, service: ServiceName, request: PruneRequest, started: Date): Promise<PruneResult> {
  await using _lock = await ports.locks.acquire(service, 'prune');
  const result = await pruneStorages(ports, service, request);
  await record(ports, result, started);
  return result;
}

/**
 * The same after a backup, with the service's lock held; without a policy the sweep alone. It never throws: the backup is a good one, whatever becomes
 * of older ones (pitfall 19). @param taken the storages that have taken it. @returns undefined, where there is no policy, or none that can be read.
 */
export async function pruneAfterBackup(
  ports: PrunePorts,
  service: ServiceName,
  taken: readonly Storage[],
): Promise<PruneResult | undefined> {
  const started = ports.clock.now();
  try {
    if (describeRules((await policyOf(ports, service)).retention) === '') {
      await sweepQuietly(ports, service, taken);
      return undefined;
    }
    const result = await pruneStorages(ports, service, { dryRun: false });
    await record(ports, result, started);
    for (const { storage, failures } of result.storages)
      if (failures[0] !== undefined) ports.reporter.warn(`Not all that is too old could be removed from ${storage}: ${failures[0]}`);
    return result;
  } catch (error) {
    ports.reporter.warn(`The backup is taken, but older ones could not be pruned: ${messageOf(error)}`);
    return undefined;
  }
}

/**
 * The services that this host has taken backups of: those in the storages set for all, and of those in the log the ones
 * that there still are: storages of one that is gone may be gone too, and would make each prune fail.
 * @throws PgbackupError storage, dokku.
 */
export async function prunableServices(
  ports: Pick<Ports, 'settings' | 'storages' | 'log' | 'host' | 'dokku'>,
): Promise<readonly ServiceName[]> {
  const { entries } = await readCatalog(await openStorages(ports, undefined), undefined);
  const listed = entries.filter((entry) => hostOf(entry) === ports.host.id).map((entry) => entry.manifest.service.name);
  const logged = (await ports.log.read()).filter(({ operation }) => operation === 'backup').map(({ service }) => service);
  const existing: readonly string[] = await ports.dokku.services();
  return [...new Set([...listed, ...logged.filter((name) => existing.includes(name))])].filter(isServiceName).toSorted();
}

async function record(ports: Pick<Ports, 'log' | 'clock'>, result: PruneResult, started: Date): Promise<void> {
  await ports.log.append({
    time: started.toISOString(),
    service: result.service,
    operation: 'prune',
    id: null,
    seconds: (ports.clock.now().getTime() - started.getTime()) / 1000,
    ...describePruned(result),
  });
}

async function policyOf(ports: Pick<Ports, 'settings'>, service: ServiceName): Promise<{ readonly retention: RetentionPolicy }> {
  return parseSettings(await ports.settings.read(service), await ports.settings.read('--global'));
}

/** What is the same for all storages of a service. */
interface Pruning {
  readonly service: ServiceName;
  readonly policy: RetentionPolicy;
  readonly dryRun: boolean;
  /** Id of an operation whose journal is still there. */
  readonly unfinished: string | undefined;
  readonly readers: ReadonlyMap<string, string>;
}

async function pruningOf(ports: PrunePorts, service: ServiceName, dryRun: boolean): Promise<Pruning> {
  return {
    service,
    policy: (await policyOf(ports, service)).retention,
    dryRun,
    unfinished: (await ports.journals.read(service))?.operation,
    readers: await ports.locks.readers(service),
  };
}

/**
 * What a storage that went away in the middle of a backup was left with is listed nowhere and costs money: it goes also
 * where no backup ever goes by itself. Keys that may only write cannot, and have asked for no policy: nothing is said.
 */
async function sweepQuietly(ports: PrunePorts, service: ServiceName, storages: readonly Storage[]): Promise<void> {
  const pruning = await pruningOf(ports, service, false);
  for (const storage of storages) await sweep(ports, storage, pruning, ports.clock.now());
}

async function pruneStorages(ports: PrunePorts, service: ServiceName, request: PruneRequest): Promise<PruneResult> {
  const pruning = await pruningOf(ports, service, request.dryRun);
  const { policy } = pruning;
  const storages: PrunedStorage[] = [];
  for (const storage of await openStorages(ports, service, request.storages)) {
    ports.signal.throwIfAborted();
    const { name, place } = storage;
    storages.push(
      await pruneStorage(ports, storage, pruning).catch((error: unknown) => {
        return { storage: name, place, backups: [], orphans: [], failures: [messageOf(error)] };
      }),
    );
  }
  return { service, dryRun: request.dryRun, rules: describeRules(policy), minKeep: policy.minKeep, storages };
}

/** @throws PgbackupError storage, when it cannot be read. */
async function pruneStorage(ports: PrunePorts, storage: Storage, pruning: Pruning): Promise<PrunedStorage> {
  const { service, policy, dryRun } = pruning;
  const { entries, problems } = await readCatalog([storage], service);
  // What has no readable manifest is no backup, neither counts nor goes: somebody is to look at it.
  for (const { message } of problems) ports.reporter.warn(message);
  const now = ports.clock.now();
  const { decisions } = planRetention(await describeAll(ports, entries, pruning), policy, now);
  const doomed = entries.filter((_, i) => decisions[i]?.keep === false);
  const { removed, failures } = dryRun ? { removed: new Set<CatalogEntry>(), failures: [] } : await removeAll(ports, service, doomed);
  const swept = await sweep(ports, storage, pruning, now);
  return {
    storage: storage.name,
    place: storage.place,
    backups: entries.map((entry, i) => ({
      id: entry.manifest.id,
      startedAt: entry.manifest.startedAt,
      size: entry.manifest.archive.storedBytes,
      keep: decisions[i]?.keep ?? true,
      reasons: decisions[i]?.reasons ?? [],
      removed: removed.has(entry),
    })),
    orphans: swept.gone,
    failures: [...failures, ...swept.failures],
  };
}

/** How many objects a storage is asked about at the same time. */
const asksAtOnce = 32;

async function describeAll(ports: PrunePorts, entries: readonly CatalogEntry[], pruning: Pruning): Promise<RetentionBackup[]> {
  const described: RetentionBackup[] = [];
  for (let i = 0; i < entries.length; i += asksAtOnce)
    described.push(...(await Promise.all(entries.slice(i, i + asksAtOnce).map((entry) => describe(ports, entry, pruning)))));
  return described;
}

/** What the plan has to know of a backup. Each own one is looked at: one that is cut off must not stand in for whole ones. */
async function describe(ports: Pick<Ports, 'host'>, entry: CatalogEntry, { policy, readers }: Pruning): Promise<RetentionBackup> {
  const { manifest, storage } = entry;
  const host = hostOf(entry);
  const common = { id: manifest.id, startedAt: manifest.startedAt, schemas: manifest.schemas, reader: readers.get(manifest.id) };
  const foreign = host !== ports.host.id;
  if (foreign || describeRules(policy) === '')
    return { ...common, otherHost: foreign ? host : undefined, flaw: undefined, lockedUntil: undefined };
  const archive = await storage.head(archiveKey(entry));
  const { storedBytes } = manifest.archive;
  // The manifest was written last, and is the last to be released.
  const lockedUntil = archive?.lockedUntil && ((await storage.head(`${entry.folder}manifest.json`))?.lockedUntil ?? archive.lockedUntil);
  const flaw = archive?.size === storedBytes ? undefined : `its archive has ${archive?.size ?? 'no'} bytes, and ${storedBytes} were stored`;
  return { ...common, otherHost: undefined, flaw, lockedUntil };
}

/** After so many failures in a row the storage is taken to refuse everything: each may have been waited for. */
const patience = 3;

/** The manifest first: what is cut off in between leaves an orphan, never a listed backup that cannot be restored. */
async function removeAll(
  ports: PrunePorts,
  service: ServiceName,
  doomed: readonly CatalogEntry[],
): Promise<{ readonly removed: ReadonlySet<CatalogEntry>; readonly failures: readonly string[] }> {
  const removed = new Set<CatalogEntry>();
  const failures: string[] = [];
  let inARow = 0;
  for (const entry of doomed) {
    if (ports.signal.aborted) failures.push('interrupted');
    if (ports.signal.aborted || inARow === patience) break;
    try {
      await using _alone = await ports.locks.removing(service, entry.manifest.id);
      await entry.storage.delete(`${entry.folder}manifest.json`);
      removed.add(entry);
      await entry.storage.delete(archiveKey(entry));
      inARow = 0;
    } catch (error) {
      failures.push(messageOf(error));
      // Somebody who has just begun to read one says nothing of the storage.
      if (!(error instanceof PgbackupError && error.code === 'locked')) inARow += 1;
    }
  }
  return { removed, failures };
}

async function sweep(
  ports: PrunePorts,
  storage: Storage,
  { service, dryRun, unfinished, readers }: Pruning,
  now: Date,
): Promise<{ readonly gone: readonly Orphan[]; readonly failures: readonly string[] }> {
  const prefix = `${ports.host.id}/${service}/`;
  try {
    const orphans = await findOrphans(storage, prefix, unfinished, now);
    if (dryRun) return { gone: orphans, failures: [] };
    const swept = await removeOrphans(ports, service, storage, orphans);
    // An upload that is under way looks the same as one that was cut off: with the lock held only a copy can be, and that reads.
    if (unfinished === undefined && readers.size === 0) await storage.sweep(prefix, new Date(now.getTime() - orphanAge));
    return swept;
  } catch (error) {
    return { gone: [], failures: [messageOf(error)] };
  }
}
