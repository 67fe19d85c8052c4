import { messageOf, PgbackupError } from '../domain/errors.ts';
import { totalRows } from '../domain/manifest.ts';
import { isServiceName, type ServiceName } from '../domain/names.ts';
import { planRestore, type AppNow, type RestorePlan } from '../domain/restore-plan.ts';
import { notRunning, type Service } from '../domain/service.ts';
import { parseSettings } from '../domain/settings.ts';
import type { Keyring, Ports, PostgresServer, SwapBlockers } from '../ports.ts';
import { abortable } from './abortable.ts';
import { hostOf, readCatalog } from './catalog.ts';
import { chooseSource, mustHaveKey, withKeptPassphrase, type SourceRequest } from './choose-source.ts';
import { encryptionTarget } from './encryption.ts';
import { checkConsent, confirmByName, type Consent } from './confirm.ts';
import { ReaderMarks } from './reading.ts';
import { operate, type Operation, type OperationPorts } from './operation.ts';
import { checkSource, readSource, type CheckedSource } from './restore-source.ts';
import { resolveService, type Target } from './resolve.ts';
import { openStorages } from './storages.ts';
import { replaceDatabase, type CheckOutcome } from './replace-database.ts';

export interface RestoreRequest extends Target, Consent, SourceRequest {
  /** Another service to restore into. */
  readonly into: string | undefined;
  readonly online: boolean;
  readonly stopApp: boolean;
  readonly jobs: number | undefined;
  readonly checks: readonly string[];
  /** What opens an encrypted source. */
  readonly keys: Keyring;
  readonly dryRun: boolean;
}

export type RestoreResult =
  | { readonly kind: 'planned'; readonly plan: RestorePlan; readonly service: ServiceName }
  | {
      readonly kind: 'restored';
      readonly service: ServiceName;
      readonly database: string;
      readonly source: string;
      readonly rows: number;
      readonly tables: number;
      /** Tables whose rows were compared with the manifest; undefined for foreign files, which have none. */
      readonly tablesCompared: number | undefined;
      readonly checks: readonly CheckOutcome[];
      /** Milliseconds without the database; null when it is not known, undefined where there was none before. */
      readonly gap: number | null | undefined;
      readonly previous: { readonly database: string; readonly until: string } | undefined;
      readonly seconds: number;
    };

export type RestorePorts = OperationPorts & Pick<Ports, 'settings' | 'host' | 'sources' | 'encryption'>;

/**
 * Restores a service's database: builds it aside, checks it, and swaps it in.
 * @throws PgbackupError not-found, no-backup, refused, confirmation, damaged, locked, verification, postgres, docker,
 * dokku, storage. Whatever is thrown, the live database is what it was, or whole and swapped in where the error says that
 * this is not known.
 */
export async function restore(ports: RestorePorts, request: RestoreRequest): Promise<RestoreResult> {
  const { owner, found } = await resolveOwner(ports, request);
  const service = request.into === undefined && found ? found : await resolveService(ports, { target: request.into ?? owner });
  const stopped = notRunning(service);
  if (stopped) throw new PgbackupError('refused', `Restore refused: ${stopped.message}`, { hint: stopped.hint });
  checkConsent(service.name, request, 'Restore');
  return operate(
    ports,
    service,
    request.dryRun ? 'restore --dry-run' : 'restore',
    (operation) => restoreInto(ports, request, owner, service, operation),
    (result) => (result.kind === 'planned' ? 'plan shown' : `${result.source}: ${result.rows} rows in ${result.tables} tables`),
  );
}

/** The service whose backups are meant. It may be gone: then its name in the catalog is enough, to restore into another. */
async function resolveOwner(ports: RestorePorts, request: RestoreRequest): Promise<{ owner: ServiceName; found: Service | undefined }> {
  try {
    const found = await resolveService(ports, request);
    return { owner: found.name, found };
  } catch (error) {
    const name = request.service ?? request.target;
    if (!(error instanceof PgbackupError) || error.code !== 'not-found' || !isServiceName(name)) throw error;
    const { entries } = await readCatalog(await openStorages(ports, name, request.storages), name);
    if (entries.length === 0) throw error;
    if (request.into !== undefined) return { owner: name, found: undefined };
    throw new PgbackupError(
      'not-found',
      `There is no Postgres service called "${name}" any more, but ${entries.length} of its backups are here`,
      {
        hint: `Make it anew (dokku postgres:create ${name}) and restore again, or restore into another: --into <service>`,
        cause: error,
      },
    );
  }
}

async function restoreInto(
  ports: RestorePorts,
  request: RestoreRequest,
  owner: ServiceName,
  service: Service,
  operation: Operation,
): Promise<RestoreResult> {
  const settings = parseSettings(await ports.settings.read(service.name), await ports.settings.read('--global'));
  const jobs = request.jobs ?? settings.jobs;
  // The lock is that of the service restored into: it keeps nobody from pruning another one, whose backup this may be.
  await using marks = new ReaderMarks(ports, 'a restore');
  const choice = await abortable(
    ports.signal,
    chooseSource(ports, request, owner, operation.spool, jobs ?? 1, (entry) => marks.hold(entry)),
  );
  if (choice.kind === 'file') await marks.holdFile(choice.path);
  const keys = await withKeptPassphrase(ports, owner, request.keys);
  if (choice.kind === 'backup') await mustHaveKey(ports, choice.entry, keys);
  const read = await abortable(ports.signal, readSource(ports, request.target, choice, keys));
  await using server = await operation.openServer({ mounts: read.file === undefined ? [] : [read.file] });
  const [checked, found] = await abortable(
    ports.signal,
    Promise.all([checkSource(ports, server, request.target, read), readServer(server, service.login.database)]),
  );
  const plan = await makePlan(ports, service, server.version.major, found, checked);
  if (found.live) for (const sql of request.checks) await mustParse(server, service.login.database, sql);
  for (const [label, text] of plan.lines) ports.reporter.detail(`${`${label}:`.padEnd(14)} ${text}`);
  if (choice.kind === 'backup' && hostOf(choice.entry) !== ports.host.id)
    ports.reporter.warn(`${choice.entry.manifest.id} was taken by another host: ${hostOf(choice.entry)}`);
  if (
    choice.kind === 'backup' &&
    choice.entry.manifest.archive.encryption === null &&
    (await encryptionTarget(ports, owner).catch(() => undefined))
  )
    ports.reporter.warn(`${choice.entry.manifest.id} is not encrypted, though backups of ${owner} are by now: was it taken before that?`);
  for (const warning of plan.warnings) ports.reporter.warn(warning);
  if (request.dryRun) return { kind: 'planned', plan, service: service.name };
  const [refusal, ...more] = plan.refusals;
  if (refusal) {
    for (const other of more) ports.reporter.warn(`${other.message}. ${other.hint}`);
    throw new PgbackupError('refused', `Restore refused: ${refusal.message}`, { hint: refusal.hint });
  }
  await abortable(ports.signal, confirmByName(ports.reporter, service.name, request, 'Restore', plan.stake, plan.purpose));
  const source = choice.kind === 'backup' ? choice.entry.manifest.id : choice.label;
  const done = await replaceDatabase(ports, {
    service,
    server,
    operation,
    source,
    input: checked.input,
    options: {
      jobs: jobs ?? Math.min(4, ports.host.processors),
      withOwners: plan.withOwners,
      dropPublic: checked.dropPublic,
    },
    manifest: checked.planned.kind === 'backup' ? checked.planned.manifest : undefined,
    expectedBytes: plan.expectedBytes,
    online: request.online,
    stopApp: request.stopApp,
    checks: request.checks,
    keepPrevious: settings.keepPrevious,
  });
  return {
    kind: 'restored',
    service: service.name,
    database: service.login.database,
    source,
    rows: totalRows(done.rows),
    tables: done.rows.length,
    tablesCompared: checked.planned.kind === 'backup' ? checked.planned.manifest.rows.length : undefined,
    checks: done.checks,
    gap: done.gap,
    previous: done.previous,
    seconds: (ports.clock.now().getTime() - operation.startedAt.getTime()) / 1000,
  };
}

/** A check with a slip of the pen fails now, and not after the whole restore. @throws PgbackupError usage. */
async function mustParse(server: PostgresServer, live: string, sql: string): Promise<void> {
  try {
    await server.scalar(live, `SELECT * FROM (\n${sql.trim().replace(/;+$/, '')}\n) AS unread LIMIT 0`);
  } catch (cause) {
    const several = cause instanceof PgbackupError && cause.code === 'usage';
    // Anything else may be for want of what the backup has, and the live database has not.
    if (several || /syntax error/.test(messageOf(cause)))
      throw new PgbackupError('usage', `--check "${sql}" is no query: ${messageOf(cause)}`, { cause });
  }
}

interface ServerFacts {
  readonly databases: readonly string[];
  readonly roles: readonly string[];
  readonly extensions: readonly string[];
  readonly blockers: SwapBlockers;
  /** undefined: there is none. */
  readonly live: { readonly bytes: number; readonly tables: number } | undefined;
}

/** What the server has and holds, before anything is done to it. */
async function readServer(server: PostgresServer, database: string): Promise<ServerFacts> {
  const databases = await server.databases();
  const live = databases.find((candidate) => candidate.name === database);
  return {
    databases: databases.map(({ name }) => name),
    roles: await server.roles(),
    extensions: await server.availableExtensions(),
    blockers: await server.blockers(database),
    live: live && { bytes: live.bytes, tables: live.allowsConnections ? await server.tableCount(database) : 0 },
  };
}

async function makePlan(
  ports: RestorePorts,
  service: Service,
  serverMajor: number,
  found: ServerFacts,
  checked: CheckedSource,
): Promise<RestorePlan> {
  const previous = await ports.previous.read(service.name);
  const manifest = checked.planned.kind === 'backup' ? checked.planned.manifest : undefined;
  const apps = await Promise.all(
    service.apps.map(async (app): Promise<AppNow> => {
      const [revision, deployLocked] = await Promise.all([ports.dokku.revision(app), ports.dokku.deployLocked(app)]);
      const then = manifest?.apps.find((candidate) => candidate.name === app)?.sha;
      const migrations =
        then && revision.sha && then !== revision.sha ? await ports.dokku.changedMigrations(app, then, revision.sha) : undefined;
      return { revision, deployLocked, migrations };
    }),
  );
  return planRestore({
    service: service.name,
    database: service.login.database,
    source: checked.planned,
    serverMajor,
    serverRoles: found.roles,
    serverExtensions: found.extensions,
    live: found.live,
    freeBytes: await ports.host.freeBytes(`${service.root}/data`),
    apps,
    preparedTransactions: found.blockers.preparedTransactions,
    logicalSlots: found.blockers.logicalSlots,
    subscriptions: found.blockers.subscriptions,
    now: ports.clock.now(),
    // One that the server does not have is of a service of the same name that is gone.
    previous: previous && found.databases.includes(previous.database) ? previous : undefined,
  });
}
