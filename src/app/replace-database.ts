import { compactTime } from '../domain/backup-id.ts';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { SwapJournal } from '../domain/journal.ts';
import type { DatabaseProperties, Manifest } from '../domain/manifest.ts';
import { propertiesOfMissing } from '../domain/missing-database.ts';
import { operationDatabases } from '../domain/previous.ts';
import { compareRows } from '../domain/rows.ts';
import type { Service } from '../domain/service.ts';
import type { Ports, PostgresServer, RestoreInput, RestoreOptions, RowCounts } from '../ports.ts';
import { abortable } from './abortable.ts';
import { DiskWatch } from './disk-watch.ts';
import { exchange } from './exchange.ts';
import type { Operation, OperationPorts } from './operation.ts';
import { quiesceApps, readAppStates } from './quiesce.ts';

/** A `--check` query before the restore (on the live database) and after it (on the restored one). */
export interface CheckOutcome {
  readonly sql: string;
  readonly before: string;
  readonly after: string;
}

export interface Replacement {
  readonly service: Service;
  readonly server: PostgresServer;
  readonly operation: Operation;
  /** For people: a backup id or a file. */
  readonly source: string;
  readonly input: RestoreInput;
  readonly options: RestoreOptions;
  /** Of an own backup: what the restored database must hold. */
  readonly manifest: Manifest | undefined;
  readonly expectedBytes: number;
  readonly online: boolean;
  readonly stopApp: boolean;
  readonly checks: readonly string[];
  /** Seconds. */
  readonly keepPrevious: number;
}

export interface Replaced {
  readonly rows: RowCounts;
  readonly checks: readonly CheckOutcome[];
  readonly gap: number | null | undefined;
  readonly previous: { readonly database: string; readonly until: string } | undefined;
}

type ReplacePorts = OperationPorts & Pick<Ports, 'host'>;

/**
 * Builds the database aside, checks it and swaps it in; each step is in the journal before it is taken.
 * @throws PgbackupError; the live database, the apps and their maintenance mode are then what they were, or the error says that
 * it is not known.
 */
export async function replaceDatabase(ports: ReplacePorts, work: Replacement): Promise<Replaced> {
  const { service, server, operation } = work;
  const live = service.login.database;
  const names = operationDatabases(compactTime(operation.startedAt), operation.id.slice(-4));
  const liveExisted = (await server.databases()).some((database) => database.name === live);
  const states = await readAppStates(ports, service.apps, work.stopApp);
  // Where there is no live database, none takes the place of the earlier previous one: it stays.
  const older = liveExisted ? ((await ports.previous.read(service.name))?.database ?? null) : null;
  const journal: SwapJournal = {
    kind: 'restore',
    operation: operation.id,
    live,
    ...names,
    liveExisted,
    keep: work.keepPrevious,
    source: work.source,
    step: 'scratch',
    older,
    apps: [],
  };
  const { prepared, gap, previous } = await exchange(ports, { service, server, operation, journal }, async (advance) => {
    const quiesce = async (): Promise<void> => {
      await advance('maintenance', states);
      await quiesceApps(ports, service.apps, states);
    };
    if (!work.online) await quiesce();
    await advance('scratch');
    const built = await build(ports, work, names.scratch, liveExisted, older);
    if (work.online) await quiesce();
    return built;
  });
  return { ...prepared, gap, previous: previous && { database: previous.database, until: previous.until } };
}

/** Makes, fills and checks the scratch database. */
async function build(
  ports: ReplacePorts,
  work: Replacement,
  scratch: string,
  liveExisted: boolean,
  older: string | null,
): Promise<{ rows: RowCounts; checks: CheckOutcome[] }> {
  const { server, service } = work;
  const live = service.login.database;
  const like: DatabaseProperties = liveExisted
    ? await server.properties(live)
    : propertiesOfMissing(live, await server.properties('template1'), work.manifest?.database, await server.roles());
  ports.reporter.step(`Restoring ${work.source} into a scratch database`);
  await server.create(scratch, like);
  const total = work.manifest?.databaseBytes;
  {
    using disk = await DiskWatch.begin(ports.host, `${service.root}/data`, service.name);
    await abortable(
      AbortSignal.any([ports.signal, disk.signal]),
      server.restore(scratch, work.input, work.options, (bytes) => ports.reporter.progress(bytes, total)),
    );
  }
  ports.reporter.step('Checking the restored database');
  // Each looks at all of the data on its own, and none changes any.
  const [rows, extensions] = await abortable(
    ports.signal,
    Promise.all([
      server.countRows(scratch, []),
      server.extensions(scratch),
      server.analyze(scratch),
      // Everything to the disk now, and not in the swap: a client whose commit waits for a busy disk cannot be ended,
      // and holds the fence. Also, to drop the earlier previous database the server would do it when the app is back.
      older === null && !work.online ? undefined : server.flush().catch(() => {}),
    ]),
  );
  if (work.manifest) checkAgainst(work.manifest, rows, extensions);
  const checks = await abortable(ports.signal, runChecks(server, work.checks, liveExisted ? live : undefined, scratch));
  await server.applyProperties(scratch, like);
  return { rows, checks };
}

/** @throws PgbackupError verification. */
function checkAgainst(manifest: Manifest, rows: RowCounts, extensions: readonly string[]): void {
  const differences = compareRows(manifest.rows, rows);
  const missing = manifest.schemas.length > 0 ? [] : manifest.extensions.map((e) => e.name).filter((name) => !extensions.includes(name));
  const problems = [...differences, ...missing.map((name) => `extension ${name} is missing`)];
  if (problems.length === 0) return;
  const shown = problems.slice(0, 10).join('; ');
  throw new PgbackupError(
    'verification',
    `The restored database is not what was backed up: ${shown}${problems.length > 10 ? ` and ${problems.length - 10} more` : ''}`,
    {
      hint: `The live database was not touched. Check the backup (dokku pgbackup:verify ${manifest.service.name} ${manifest.id}), or take an older one`,
    },
  );
}

/** @throws PgbackupError verification, when a check gives false, NULL, no row or an error on the restored database. */
async function runChecks(
  server: PostgresServer,
  queries: readonly string[],
  live: string | undefined,
  scratch: string,
): Promise<CheckOutcome[]> {
  const outcomes: CheckOutcome[] = [];
  for (const sql of queries) {
    // Before: only to be shown. The live database may be what is broken.
    const before = live === undefined ? 'no database' : await server.scalar(live, sql).then(show, (error: unknown) => messageOf(error));
    let value: string | null | undefined;
    try {
      value = await server.scalar(scratch, sql);
    } catch (cause) {
      throw checkFailed(sql, messageOf(cause), cause);
    }
    if (value === undefined || value === null || value === 'f') throw checkFailed(sql, `it gives ${show(value)}`);
    outcomes.push({ sql, before, after: value });
  }
  return outcomes;
}

function show(value: string | null | undefined): string {
  return value === undefined ? 'no row' : (value ?? 'NULL');
}

function checkFailed(sql: string, why: string, cause?: unknown): PgbackupError {
  return new PgbackupError('verification', `The check "${sql}" fails on the restored database: ${why}`, {
    cause,
    hint: 'The live database was not touched. A check passes when the first value of its first row is neither false nor NULL',
  });
}
