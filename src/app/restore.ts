import { messageOf, PgbackupError } from '../domain/errors.ts';
import { totalRows } from '../domain/manifest.ts';
import { isServiceName, type ServiceName } from '../domain/names.ts';
import { planRestore, type AppNow, type RestorePlan } from '../domain/restore-plan.ts';
import { notRunning, type Service } from '../domain/service.ts';
import { parseSettings } from '../domain/settings.ts';
import type { Ports, PostgresServer, Spool, SwapBlockers } from '../ports.ts';
import { abortable } from './abortable.ts';
import { findBackup, latestBackup, openStorage, readCatalog, type CatalogEntry } from './catalog.ts';
import { checkConsent, confirmByName, type Consent } from './confirm.ts';
import { operate, type Operation, type OperationPorts } from './operation.ts';
import { checkSource, readSource, type CheckedSource, type SourceChoice } from './restore-source.ts';
import { resolveService, type Target } from './resolve.ts';
import { replaceDatabase, type CheckOutcome } from './replace-database.ts';

/** Where to restore from, as it was typed. */
export type RequestedSource =
  | { readonly kind: 'latest' }
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'stdin' };

export interface RestoreRequest extends Target, Consent {
  readonly source: RequestedSource;
  /** Another service to restore into. */
  readonly into: string | undefined;
  readonly online: boolean;
  readonly stopApp: boolean;
  readonly jobs: number | undefined;
  readonly checks: readonly string[];
  readonly sha256: string | undefined;
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
      /** Milliseconds without the database; undefined where there was none before. */
      readonly gap: number | undefined;
      readonly previous: { readonly database: string; readonly until: string } | undefined;
      readonly seconds: number;
    };

export type RestorePorts = OperationPorts & Pick<Ports, 'settings' | 'host' | 'sources'>;

/**
 * Restores a service's database: builds it aside, checks it, and swaps it in.
 * @throws PgbackupError not-found, no-backup, refused, confirmation, damaged, locked, verification, postgres, docker,
 * dokku, storage. Whatever is thrown, the live database is what it was.
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
    const { entries } = await readCatalog(await openStorage(ports, name), name);
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
  const choice = await abortable(ports.signal, chooseSource(ports, request, owner, operation.spool));
  const read = await abortable(ports.signal, readSource(ports, request.target, choice));
  await using server = await operation.openServer({ mounts: read.inspected.bare ? [read.path] : [] });
  const [checked, found] = await abortable(
    ports.signal,
    Promise.all([checkSource(ports, server, request.target, read), readServer(server, service.login.database)]),
  );
  const plan = await makePlan(ports, service, server.version.major, found, checked);
  if (found.live) for (const sql of request.checks) await mustParse(server, service.login.database, sql);
  for (const [label, text] of plan.lines) ports.reporter.detail(`${`${label}:`.padEnd(14)} ${text}`);
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
      jobs: request.jobs ?? settings.jobs ?? Math.min(4, ports.host.processors),
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

/** Finds what was asked for. Standard input is kept in the spool first: a source must be seen whole before anything is touched. */
async function chooseSource(ports: RestorePorts, request: RestoreRequest, owner: ServiceName, spool: Spool): Promise<SourceChoice> {
  const { source } = request;
  switch (source.kind) {
    case 'stdin':
      return { kind: 'file', path: await ports.sources.keepStdin(spool), label: 'standard input', sha256: request.sha256 };
    case 'path':
      return {
        kind: 'file',
        path: source.path,
        label: source.path,
        sha256: request.sha256 ?? (await ports.sources.checksumBeside(source.path)),
      };
    case 'id':
    case 'latest': {
      const ownerSettings = parseSettings(await ports.settings.read(owner), await ports.settings.read('--global'));
      const catalog = await readCatalog(ports.storage(ownerSettings.backupDir), owner);
      for (const problem of catalog.problems) ports.reporter.warn(problem.message);
      const entry: CatalogEntry =
        source.kind === 'id' ? findBackup(catalog, owner, source.id) : latestBackup(catalog, owner, ports.host.id);
      return { kind: 'backup', entry };
    }
  }
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
