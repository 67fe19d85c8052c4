import { messageOf } from '../domain/errors.ts';
import type { CopyState, Manifest } from '../domain/manifest.ts';
import { ownDatabasePrefix } from '../domain/previous.ts';
import type { Service } from '../domain/service.ts';
import { parseSettings } from '../domain/settings.ts';
import type { StorageName } from '../domain/storage-name.ts';
import type { EncryptionTarget, Ports, Shares, Storage } from '../ports.ts';
import { backupFolder } from './catalog.ts';
import { Copies } from './copies.ts';
import { tellUnresolved } from './announcement.ts';
import { dumpConsistently } from './dump.ts';
import { encryptionTarget } from './encryption.ts';
import { dropExpired, operate, type Circumstances, type Operation, type OperationPorts } from './operation.ts';
import { announce } from './notices.ts';
import { pruneAfterBackup } from './prune.ts';
import { describePruned, isWorthTelling, type PruneResult } from './prune-result.ts';
import { resolveService, type Target } from './resolve.ts';
import { missingCopies } from './storages.ts';

export interface BackupRequest extends Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly note: string | null;
  /** Exact names; empty: the whole database. */
  readonly schemas: readonly string[];
  /** Where it goes to; undefined: where the settings say. */
  readonly storages?: readonly StorageName[];
  /** Of a run that cron has started. */
  readonly scheduled?: Circumstances & { readonly shares: Shares };
  readonly toolVersion: string;
}

export interface BackupResult {
  readonly manifest: Manifest;
  /** Where it lies, in each storage that has it. */
  readonly places: readonly string[];
  /** What each storage still lacks, of those that lack any: ids of backups by the storage's name. */
  readonly behind: Readonly<Record<string, readonly string[]>>;
  /** What the retention policy has removed; undefined: there is none, or it could not be applied. */
  readonly pruned: PruneResult | undefined;
  readonly seconds: number;
}

export type BackupPorts = OperationPorts & Pick<Ports, 'settings' | 'host' | 'encryption'>;

/**
 * Takes a backup of the service's database and proves it. With several storages it is enough that one of them has it in
 * the end: `failedCopies` tells of the others.
 * @throws PgbackupError not-found, refused, locked, postgres, docker, dokku, storage, verification. In every case
 * nothing of it is listed, and nothing of it is left.
 */
export async function createBackup(ports: BackupPorts, request: BackupRequest): Promise<BackupResult> {
  // A name that was mistyped is no backup that failed: nobody is told of it but who typed it.
  for (const name of request.storages ?? []) ports.storages.open(name, undefined);
  const service = await resolveOrTell(ports, request);
  const done = await operate(
    ports,
    service,
    'backup',
    (operation) => backUp(ports, request, service, operation),
    ({ manifest }) => {
      const { archive, databaseBytes, rows, storages = [] } = manifest;
      const failed = failedCopies(manifest);
      const summary = `${archive.storedBytes} bytes, ${rows.length} tables`;
      return {
        outcome: failed.length === 0 ? 'ok' : 'partial',
        message: [summary, ...failed.map(({ name, message }) => `not in ${name} (${message})`)].join('; '),
        storedBytes: archive.storedBytes,
        databaseBytes,
        storages,
      };
    },
    request.scheduled,
  );
  // Now, since nobody is told of anything while the service is locked.
  if (done.pruned && isWorthTelling(done.pruned)) {
    const startedAt = new Date(done.manifest.finishedAt);
    const end = { described: describePruned(done.pruned) };
    await announce(ports, { service: service.name, operation: 'prune', id: null, startedAt, end, secrets: [service.login.password] });
  }
  return done;
}

/** A backup that fails before it begins has failed too: of a Docker that is down, whoever waits for the heartbeat must hear. */
async function resolveOrTell(ports: BackupPorts, request: BackupRequest): Promise<Service> {
  const startedAt = ports.clock.now();
  try {
    return await resolveService(ports, request);
  } catch (error) {
    // Of a scheduled run it is told by whoever scheduled it.
    if (!request.scheduled)
      await tellUnresolved(ports, { target: request.service ?? request.target, operation: 'backup', startedAt, error });
    throw error;
  }
}

/** The storages that a backup did not reach. */
export function failedCopies(manifest: Manifest): readonly CopyState[] {
  return (manifest.storages ?? []).filter(({ stored }) => !stored);
}

async function backUp(ports: BackupPorts, request: BackupRequest, service: Service, operation: Operation): Promise<BackupResult> {
  const settings = parseSettings(await ports.settings.read(service.name), await ports.settings.read('--global'));
  const names = request.storages ?? settings.storages;
  const folder = backupFolder(ports.host.id, service.name, operation.id);
  const copies = new Copies(ports, names, settings.backupDir, folder);
  await ports.journals.write(service.name, {
    kind: 'backup',
    operation: operation.id,
    backupDir: settings.backupDir ?? null,
    storages: [...names],
    prefix: folder,
  });
  let manifest: Manifest;
  try {
    // Asked for while the sidecar starts: each is a process of its own.
    const revisions = Promise.all(service.apps.map((app) => ports.dokku.revision(app)));
    revisions.catch(() => {});
    await using server = await operation.openServer({
      snapshotOf: service.login.database,
      ...(request.scheduled && { shares: request.scheduled.shares }),
    });
    await dropExpired(ports, service, server);
    ports.reporter.step(`Backing up ${service.name} (PostgreSQL ${server.version.version}, database ${service.login.database})`);
    const others = (await server.databases()).filter(
      (d) => ![service.login.database, 'postgres'].includes(d.name) && !d.name.startsWith(ownDatabasePrefix),
    );
    if (others.length > 0)
      ports.reporter.warn(
        `The service also holds ${others.map((d) => d.name).join(', ')}: a backup holds database ${service.login.database} alone`,
      );
    const target = await encryptionTarget(ports, service.name);
    const { facts, dump, file, rows, sent } = await dumpConsistently(ports, server, service, copies, {
      schemas: request.schemas,
      compressionLevel: settings.compressionLevel,
      lockTimeout: settings.lockTimeout,
      encryption: target,
    });
    // The server has told all it has to tell: the sidecar goes while the archive is read back.
    void server[Symbol.asyncDispose]();
    await copies.prove(file, sent);
    const apps = await revisions;
    const finishedAt = ports.clock.now();
    ports.signal.throwIfAborted();
    manifest = await copies.publish(file, sent.bytes, (states) => ({
      manifestVersion: 1,
      id: operation.id,
      host: ports.host.id,
      tool: { name: 'dokku-pgbackup', version: request.toolVersion },
      service: { name: service.name, image: service.image },
      server: server.version,
      database: facts.database,
      databaseBytes: facts.bytes,
      extensions: [...facts.extensions],
      roles: [...facts.roles],
      apps,
      labels: request.labels,
      note: request.note,
      schemas: [...request.schemas],
      publicSchema: facts.schemas.includes('public'),
      startedAt: operation.startedAt.toISOString(),
      finishedAt: finishedAt.toISOString(),
      archive: {
        file,
        format: 'custom',
        compression: dump.compression,
        wrapping: dump.wrapping,
        plainBytes: dump.plain().bytes,
        plainSha256: dump.plain().sha256,
        storedBytes: sent.bytes,
        storedSha256: sent.sha256,
        encryption: describeEncryption(target),
      },
      rows: [...rows],
      largeObjects: facts.largeObjects,
      provenAt: finishedAt.toISOString(),
      storages: [...states],
      schedule: request.scheduled?.schedule ?? null,
    }));
  } catch (error) {
    await takeBack(ports, service, copies);
    throw error;
  }
  // The manifest is there: it is a backup, whatever becomes of the journal.
  await ports.journals.clear(service.name).catch((error: unknown) => ports.reporter.warn(messageOf(error)));
  const pruned = await pruneAfterBackup(ports, service.name, copies.good);
  return {
    pruned,
    manifest,
    places: copies.good.map(({ place }) => `${place}/${folder}`),
    behind: await storagesBehind(ports, copies.good, `${ports.host.id}/${service.name}/`),
    seconds: (ports.clock.now().getTime() - operation.startedAt.getTime()) / 1000,
  };
}

/** As the manifest tells it: never more of a passphrase than that there is one. */
function describeEncryption(target: EncryptionTarget | undefined): Manifest['archive']['encryption'] {
  if (target === undefined) return null;
  const recipients = target.kind === 'recipients' ? [...target.recipients] : [];
  return { scheme: 'age', recipients, passphrase: target.kind === 'passphrase' };
}

/** A storage that was away for a while must not be forgotten. */
async function storagesBehind(
  ports: Pick<Ports, 'reporter'>,
  storages: readonly Storage[],
  prefix: string,
): Promise<Readonly<Record<string, readonly string[]>>> {
  if (storages.length < 2) return {};
  const missing = await missingCopies(storages, prefix, (text) => ports.reporter.warn(text));
  return Object.fromEntries([...missing].filter(([, ids]) => ids.length > 0));
}

async function takeBack(ports: Pick<Ports, 'journals' | 'reporter'>, service: Service, copies: Copies): Promise<void> {
  try {
    await copies.takeBack();
    await ports.journals.clear(service.name);
  } catch (error) {
    ports.reporter.warn(`Not everything could be removed (${messageOf(error)}); the next command on ${service.name} will do it`);
  }
}
