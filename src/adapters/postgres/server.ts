import * as v from 'valibot';
import { PgbackupError } from '../../domain/errors.ts';
import type { DatabaseProperties } from '../../domain/manifest.ts';
import type {
  ArchiveContents,
  DatabaseSummary,
  PostgresServer,
  RestoreInput,
  RestoreOptions,
  RowCounts,
  ServerVersion,
  Snapshot,
  Spool,
  SwapBlockers,
} from '../../ports.ts';
import type { Sidecar } from '../docker/sidecar.ts';
import { summarizeSchema } from './archive-contents.ts';
import type { Compressor } from './dump.ts';
import * as facts from './facts.ts';
import { applyProperties, createStatement } from './properties.ts';
import { connectionTo, identifier, literal } from './quote.ts';
import { decodeArchive, restoreArchive, restoreSql, schemaSql, type InputRoute } from './restore.ts';
import { Session } from './session.ts';
import { openSnapshot } from './snapshot.ts';
import { isOneQuery } from '../source/one-query.ts';
import { renameDatabase, swapDatabases, type SwapNames } from './swap.ts';

const name = v.object({ name: v.string() });

export interface ServerParts {
  readonly sidecar: Sidecar;
  readonly spool: Spool;
  /** A session on the maintenance database, used for all that is not inside one database. */
  readonly admin: Session;
  /** Sessions begun early, by database: each is taken once. */
  readonly begun: Map<string, Promise<Session>>;
  readonly version: ServerVersion;
  readonly imageId: string;
  readonly compressor: Compressor;
  readonly applicationName: (operation: string) => string;
  /** Files of this host by the path at which the sidecar sees them. */
  readonly mounts: ReadonlyMap<string, string>;
  /** Given to every program that works on the database for long, and set in a session that was begun before they were known. */
  readonly workSettings: readonly (readonly [string, string])[];
  readonly workEnv: Readonly<Record<string, string>>;
  /** The same for SQL that somebody has written, whose names are looked for where the database says. */
  readonly sqlEnv: Readonly<Record<string, string>>;
}

/** The server of one service, through the sidecar beside it. */
export class SidecarServer implements PostgresServer {
  readonly #parts: ServerParts;
  readonly version: ServerVersion;
  readonly imageId: string;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.version = parts.version;
    this.imageId = parts.imageId;
  }

  async openSnapshot(database: string): Promise<Snapshot> {
    const { sidecar, spool, compressor, begun, workSettings, workEnv } = this.#parts;
    const open = (): Promise<Session> => Session.open(sidecar, database, workEnv);
    // A login trigger may have turned away one that did not know yet how to switch it off.
    const session = await (begun.get(database)?.catch(open) ?? open());
    begun.delete(database);
    return openSnapshot({ sidecar, spool, compressor, database, env: workEnv }, session, workSettings);
  }

  async databases(): Promise<readonly DatabaseSummary[]> {
    return this.#parts.admin.rows(
      v.object({ name: v.string(), bytes: v.number(), allowsConnections: v.boolean() }),
      `SELECT datname AS name, pg_database_size(oid) AS bytes, datallowconn AS "allowsConnections"
       FROM pg_database WHERE datname NOT IN ('template0', 'template1') ORDER BY 1`,
    );
  }

  async properties(database: string): Promise<DatabaseProperties> {
    return facts.readProperties(this.#parts.admin, database);
  }

  async roles(): Promise<readonly string[]> {
    return (await this.#parts.admin.rows(name, 'SELECT rolname AS name FROM pg_roles')).map((row) => row.name);
  }

  async availableExtensions(): Promise<readonly string[]> {
    return (await this.#parts.admin.rows(name, 'SELECT name FROM pg_available_extensions')).map((row) => row.name);
  }

  async tableCount(database: string): Promise<number> {
    await using session = await this.#session(database);
    return (await facts.readTables(session, [])).length;
  }

  async countRows(database: string, schemas: readonly string[]): Promise<RowCounts> {
    await using session = await this.#session(database);
    // Awaited here: the session must outlive the counting.
    return await facts.countRows(session, schemas);
  }

  async extensions(database: string): Promise<readonly string[]> {
    await using session = await this.#session(database);
    return (await facts.readExtensions(session)).map((extension) => extension.name);
  }

  async scalar(database: string, sql: string): Promise<string | null | undefined> {
    // psql takes a -c that begins with a backslash for one of its own commands, and any other for plain SQL.
    if (sql.trimStart().startsWith('\\')) throw new PgbackupError('usage', `The check "${sql}" is a command of psql, not a query`);
    const command = [
      'psql',
      '-X',
      '-q',
      '-A',
      '-t',
      '-w',
      '-v',
      'ON_ERROR_STOP=1',
      '-P',
      'null=\u0001',
      '-F',
      '\u0002',
      '-d',
      connectionTo(database),
    ];
    const readOnly = { PGOPTIONS: `${this.#parts.sqlEnv['PGOPTIONS'] ?? ''} -c default_transaction_read_only=on` };
    const child = await this.#parts.sidecar.exec([...command, '-c', oneQuery(sql)], readOnly);
    child.stdin.end();
    const printed = Buffer.concat(await child.stdout.toArray()).toString('utf8');
    await child.ok('postgres', 'The query failed');
    const [line] = printed.split('\n');
    if (printed === '' || line === undefined) return undefined;
    const value = line.split('\u0002')[0] ?? '';
    return value === '\u0001' ? null : value;
  }

  async contents(input: RestoreInput): Promise<ArchiveContents> {
    return summarizeSchema(await schemaSql(this.#route(input), input));
  }

  async decode(input: RestoreInput): Promise<void> {
    await decodeArchive(this.#route(input), input);
  }

  async create(database: string, like: DatabaseProperties): Promise<void> {
    await this.#parts.admin.run(createStatement(database, like, this.version.major));
  }

  async applyProperties(database: string, like: DatabaseProperties): Promise<void> {
    await applyProperties(this.#parts.admin, database, like);
  }

  async drop(database: string): Promise<void> {
    await this.#forgetSubscriptions(database);
    // FORCE: an autovacuum worker or a forgotten session must not stop the cleaning up.
    await this.#parts.admin.run(`DROP DATABASE IF EXISTS ${identifier(database)} WITH (FORCE)`);
  }

  async restore(database: string, input: RestoreInput, options: RestoreOptions, progress: (bytes: number) => void): Promise<void> {
    if (options.dropPublic) {
      await using session = await this.#session(database);
      await session.run('DROP SCHEMA public');
    }
    const watch = setInterval(() => {
      facts.readBytes(this.#parts.admin, database).then(progress, () => {});
    }, 1000);
    try {
      const { workEnv, sqlEnv } = this.#parts;
      const env = await this.#loadEnv(input.format === 'sql' ? sqlEnv : workEnv);
      const route = { ...this.#route(input), env };
      if (input.format === 'sql') await restoreSql(route, database, input);
      else await restoreArchive(route, database, input, options);
    } finally {
      clearInterval(watch);
    }
  }

  async analyze(database: string): Promise<void> {
    await using session = await this.#session(database);
    await session.run('ANALYZE');
  }

  async flush(): Promise<void> {
    await this.#parts.admin.run('CHECKPOINT');
  }

  async blockers(database: string): Promise<SwapBlockers> {
    return facts.readBlockers(this.#parts.admin, database);
  }

  async rename(from: string, to: string): Promise<void> {
    await renameDatabase(this.#parts.admin, from, to);
  }

  async swap(names: SwapNames): Promise<number> {
    return swapDatabases(this.#parts.admin, names, this.version.major);
  }

  async allowConnections(database: string): Promise<void> {
    await this.#parts.admin.run(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true`);
  }

  async endBackends(operation: string): Promise<void> {
    const whose = `FROM pg_stat_activity WHERE application_name = ${literal(this.#parts.applicationName(operation))} AND pid <> pg_backend_pid()`;
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const left = await this.#parts.admin.rows(v.object({ done: v.boolean() }), `SELECT pg_terminate_backend(pid) AS done ${whose}`);
      if (left.length === 0) return;
      await this.#parts.admin.run('SELECT pg_sleep(0.05)');
    }
    throw new PgbackupError('postgres', `The server processes of ${operation}, which was killed, do not end`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.sidecar[Symbol.asyncDispose]();
  }

  /** A database with subscriptions cannot be dropped; their slots belong to the publisher and are left alone. */
  async #forgetSubscriptions(database: string): Promise<void> {
    const subscriptions = await facts.readSubscriptions(this.#parts.admin, database);
    if (subscriptions.length === 0) return;
    await this.allowConnections(database);
    await using session = await this.#session(database);
    for (const subscription of subscriptions.map(identifier)) {
      await session.run(`ALTER SUBSCRIPTION ${subscription} DISABLE`);
      await session.run(`ALTER SUBSCRIPTION ${subscription} SET (slot_name = NONE)`);
      await session.run(`DROP SUBSCRIPTION ${subscription}`);
    }
  }

  /**
   * For loading many rows. The server logs every page of a new index whole: compressed, that is some 40 % less log, and
   * a tenth less time. Not every build of it can, nor may every role ask for it: one that asks in vain cannot connect.
   */
  async #loadEnv(env: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>> {
    const { admin } = this.#parts;
    const able = await admin.rows(
      v.object({ able: v.boolean() }),
      `SELECT 'lz4' = ANY (enumvals) AND current_setting('is_superuser') = 'on' AS able FROM pg_settings WHERE name = 'wal_compression'
       AND enumvals IS NOT NULL`,
    );
    return able[0]?.able === true ? { ...env, PGOPTIONS: `${env['PGOPTIONS'] ?? ''} -c wal_compression=lz4` } : env;
  }

  #session(database: string): Promise<Session> {
    return Session.open(this.#parts.sidecar, database, this.#parts.workEnv);
  }

  #route(input: RestoreInput): InputRoute {
    const { sidecar, spool, mounts, workEnv } = this.#parts;
    return { sidecar, spool, env: workEnv, fileInside: input.file === undefined ? undefined : mounts.get(input.file) };
  }
}

/** @throws PgbackupError usage, for more than a query: what follows could leave the read-only transaction. */
function oneQuery(sql: string): string {
  if (!isOneQuery(sql)) throw new PgbackupError('usage', `The check "${sql}" is not one query`);
  return `SELECT * FROM (\n${sql.trim().replace(/;+$/, '')}\n) AS pgbackup_check`;
}
