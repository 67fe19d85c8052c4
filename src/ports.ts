/**
 * What the use cases in `app/` need from the world. Each interface promises only what its comment says;
 * the adapters keep those promises and the contract tests check them.
 */
import type { Readable } from 'node:stream';
import type { Journal } from './domain/journal.ts';
import type { AppRevision, DatabaseProperties, TableRows } from './domain/manifest.ts';
import type { AppName, ServiceName } from './domain/names.ts';
import type { PreviousDatabase } from './domain/previous.ts';
import type { Service } from './domain/service.ts';
import type { DumpFormat, InspectedSource, SqlReport } from './domain/source.ts';

/** Time and chance, so that tests can fix both. */
export interface Clock {
  now(): Date;
  /** Four characters of a-z and 0-9. */
  suffix(): string;
}

/** One object in a storage. */
export interface StoredObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly modified: Date;
}

/**
 * Where backups lie. Keys are relative paths with `/` between their parts.
 * `put` is atomic: the object is seen whole or not at all, also when the body throws, the signal fires
 * or the process is killed; when it resolves, the bytes would survive a power loss.
 */
export interface Storage {
  readonly name: string;
  /** Where it is, in words a person can follow: a path or an address. */
  readonly place: string;
  /** @returns the bytes written. @throws PgbackupError storage; whatever the body throws comes through unchanged. */
  put(key: string, body: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<number>;
  /** @throws PgbackupError not-found, storage. Failures after the start come as stream errors. */
  get(key: string): Promise<Readable>;
  /** The whole of a small object as UTF-8. @throws PgbackupError not-found, storage. */
  readText(key: string): Promise<string>;
  head(key: string): Promise<StoredObject | undefined>;
  /** Keys of the complete objects that begin with the prefix, in no particular order. */
  list(prefix: string): AsyncIterable<string>;
  /** A missing key is no error. */
  delete(key: string): Promise<void>;
  /** Path of an object that is a file on this host; undefined for remote storages. */
  filePath(key: string): string | undefined;
  /** Removes what killed uploads left behind under the prefix. */
  sweep(prefix: string): Promise<void>;
}

export type MaintenanceState = 'on' | 'off' | 'unavailable';

/** Dokku's own commands. A name that Dokku does not know gives undefined, any other failure throws PgbackupError dokku. */
export interface Dokku {
  service(name: ServiceName): Promise<Service | undefined>;
  /** Services linked to the app. */
  appServices(app: AppName): Promise<readonly ServiceName[] | undefined>;
  revision(app: AppName): Promise<AppRevision>;
  /** `unavailable` when the maintenance plugin is not installed. */
  maintenance(app: AppName): Promise<MaintenanceState>;
  setMaintenance(app: AppName, on: boolean): Promise<void>;
  deployLocked(app: AppName): Promise<boolean>;
  running(app: AppName): Promise<boolean>;
  stopApp(app: AppName): Promise<void>;
  startApp(app: AppName): Promise<void>;
  /** Migration files that differ between two commits; undefined when the app's repository does not know both. */
  changedMigrations(app: AppName, from: string, to: string): Promise<readonly string[] | undefined>;
}

/** A lock of one service that dies with this process. */
export interface Locks {
  /** @throws PgbackupError locked, naming who holds it and since when. */
  acquire(service: ServiceName, purpose: string): Promise<AsyncDisposable>;
}

/** What one operation on a service has done so far, on disk before it is done. At most one a service. */
export interface Journals {
  read(service: ServiceName): Promise<Journal | undefined>;
  /** Durable when it resolves. */
  write(service: ServiceName, journal: Journal): Promise<void>;
  clear(service: ServiceName): Promise<void>;
}

/** The database set aside by the last swap of a service. */
export interface PreviousDatabases {
  read(service: ServiceName): Promise<PreviousDatabase | undefined>;
  write(service: ServiceName, previous: PreviousDatabase): Promise<void>;
  clear(service: ServiceName): Promise<void>;
}

/** One line of `pgbackup:log`. */
export interface LogEntry {
  readonly time: string;
  readonly service: string;
  readonly operation: string;
  readonly id: string | null;
  readonly outcome: 'ok' | 'failed' | 'recovered';
  readonly seconds: number;
  readonly message: string;
}

/** What was done on this host, oldest first. Writing never throws: a full disk must not fail a good backup. */
export interface OperationLog {
  append(entry: LogEntry): Promise<void>;
  read(): Promise<readonly LogEntry[]>;
}

/** Settings as raw text; `scope` is a service or `--global`. */
export interface SettingsStore {
  read(scope: ServiceName | '--global'): Promise<ReadonlyMap<string, string>>;
  write(scope: ServiceName | '--global', key: string, value: string | undefined): Promise<void>;
}

/** A private folder for the FIFOs and temporary files of one operation. */
export interface Spool extends AsyncDisposable {
  readonly path: string;
  readonly operation: string;
}

export interface Spools {
  open(operation: string): Promise<Spool>;
  /** Removes the folders of operations whose process is gone; `before` removes what else such a one may have left. */
  reclaim(before: (operation: string) => Promise<void>): Promise<void>;
}

/** Version of a server, for example `18.4` and 18. */
export interface ServerVersion {
  readonly version: string;
  readonly major: number;
}

/** A table and how many rows it has been counted to hold. */
export type RowCounts = readonly TableRows[];

/** What pg_dump is asked for. */
export interface DumpRequest {
  /** Schemas by exact name; empty: all. */
  readonly schemas: readonly string[];
  readonly compressionLevel: number;
  /** Seconds. */
  readonly lockTimeout: number;
}

/** A running dump. */
export interface Dump {
  readonly file: string;
  readonly compression: string;
  readonly wrapping: 'zstd' | null;
  /**
   * The bytes of the archive. Ends only after pg_dump exited 0 **and** an independent pg_restore decoded
   * the same bytes to their end; throws PgbackupError postgres or verification instead of ending otherwise.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Bytes and SHA-256 (hex) of what left the sidecar, before this program wraps anything around it; valid once `bytes` has ended. */
  plain(): { readonly bytes: number; readonly sha256: string };
}

/** What one exported snapshot of a database shows: the dump and the facts agree to the row. */
export interface Snapshot extends AsyncDisposable {
  facts(): Promise<{
    readonly database: DatabaseProperties;
    readonly bytes: number;
    readonly extensions: readonly { readonly name: string; readonly version: string; readonly schema: string }[];
    readonly roles: readonly string[];
    readonly schemas: readonly string[];
    readonly largeObjects: number;
  }>;
  /** Exact rows per table. Empty schemas: all. */
  countRows(schemas: readonly string[]): Promise<RowCounts>;
  dump(request: DumpRequest): Promise<Dump>;
  /** Tables that TRUNCATE or a rewrite has emptied for this snapshot too, at some moment since it was taken. */
  rewrittenTables(): Promise<readonly string[]>;
}

/** A dump to be restored, ready to be read by pg_restore or psql in the sidecar. */
export interface RestoreInput {
  readonly format: DumpFormat;
  /** Path of a bare archive on this host, so that pg_restore may seek; undefined: only `open`. */
  readonly file: string | undefined;
  /** The unwrapped bytes, from the beginning, as often as asked. */
  open(): Readable;
}

/** How an archive is restored. */
export interface RestoreOptions {
  readonly jobs: number;
  /** False where roles named by the archive do not exist here: everything then belongs to the login role. */
  readonly withOwners: boolean;
  /** See `ArchiveContents`. */
  readonly dropPublic: boolean;
}

/** What an archive's table of contents tells. */
export interface ArchiveContents {
  readonly serverMajor: number | undefined;
  readonly roles: readonly string[];
  readonly extensions: readonly string[];
  readonly tables: number;
  /** It makes the schema `public` itself, which an empty database has already. */
  readonly createsPublic: boolean;
}

/** Things on a database that a swap would break. */
export interface SwapBlockers {
  readonly preparedTransactions: readonly string[];
  readonly logicalSlots: readonly string[];
  /** Enabled ones: they would go on applying changes to the old database. */
  readonly subscriptions: readonly string[];
}

/** A database of the server. */
export interface DatabaseSummary {
  readonly name: string;
  readonly bytes: number;
  readonly allowsConnections: boolean;
}

/**
 * One Postgres server, reached through a sidecar container that lives no longer than this object.
 * All methods throw PgbackupError postgres or docker.
 */
export interface PostgresServer extends AsyncDisposable {
  readonly version: ServerVersion;
  readonly imageId: string;
  openSnapshot(database: string): Promise<Snapshot>;
  databases(): Promise<readonly DatabaseSummary[]>;
  properties(database: string): Promise<DatabaseProperties>;
  roles(): Promise<readonly string[]>;
  availableExtensions(): Promise<readonly string[]>;
  /** User tables outside the system schemas. */
  tableCount(database: string): Promise<number>;
  countRows(database: string, schemas: readonly string[]): Promise<RowCounts>;
  /** First column of the first row of a query as text; undefined: no row; null: NULL. */
  scalar(database: string, sql: string): Promise<string | null | undefined>;
  extensions(database: string): Promise<readonly string[]>;
  contents(input: RestoreInput): Promise<ArchiveContents>;
  /** Decodes an archive to its end. @throws PgbackupError damaged. */
  decode(input: RestoreInput): Promise<void>;
  create(name: string, properties: DatabaseProperties): Promise<void>;
  /** Owner, settings, grants, comment and connection limit: what a swap would lose. */
  applyProperties(name: string, properties: DatabaseProperties): Promise<void>;
  /** Missing is no error; connections to it are ended. */
  drop(name: string): Promise<void>;
  /** Restores into an empty database; `progress` hears its growing size in bytes about once a second. */
  restore(name: string, input: RestoreInput, options: RestoreOptions, progress: (bytes: number) => void): Promise<void>;
  analyze(name: string): Promise<void>;
  /** Has the server write all of its memory to its disk. */
  flush(): Promise<void>;
  blockers(database: string): Promise<SwapBlockers>;
  /** Gives a database the name of the live one, where there is none to exchange it with, and opens it to connections. */
  rename(from: string, to: string): Promise<void>;
  /**
   * Exchanges two databases: `live` becomes `previous` (closed to connections), `scratch` becomes `live`.
   * The server does it alone once it was asked to: it is finished or undone even when this process dies.
   * @returns milliseconds during which `live` refused connections.
   */
  swap(names: { readonly live: string; readonly scratch: string; readonly previous: string }): Promise<number>;
  allowConnections(database: string): Promise<void>;
  /** Ends the server processes of a dead operation, and waits for them to be gone. */
  endBackends(operation: string): Promise<void>;
}

export interface ServerOptions {
  readonly spool: Spool;
  /** Files of this host that the sidecar may read. */
  readonly mounts?: readonly string[];
  /** A snapshot of this database will be asked for: its session is begun beside the others, which saves a tenth of a second. */
  readonly snapshotOf?: string;
}

export interface Postgres {
  /** @throws PgbackupError docker, when the sidecar cannot start. */
  open(service: Service, options: ServerOptions): Promise<PostgresServer>;
  /** Decodes an archive without any server, with the image of the service or the one named. */
  decodeOffline(image: string, input: RestoreInput, options: { readonly spool: Spool }): Promise<void>;
  /** Kills the sidecars that a dead operation left running. */
  removeSidecars(operation: string): Promise<void>;
}

/** Files to restore from that are not backups of this program. */
export interface Sources {
  /** @throws PgbackupError not-found, damaged, refused. */
  inspect(path: string): Promise<InspectedSource>;
  /** The dump without its wrappings; plain SQL also without what would leave the database it is run in. */
  open(path: string, inspected: InspectedSource, serverMajor: number): Readable;
  /** Reads a plain SQL dump to its end. @throws PgbackupError damaged, refused. */
  inspectSql(path: string, inspected: InspectedSource): Promise<SqlReport>;
  /** SHA-256 (hex) and bytes of a file as it lies. */
  hash(path: string): Promise<{ readonly sha256: string; readonly bytes: number }>;
  /** The checksum that a manifest beside the file gives for it: an own archive that was named by its path. */
  checksumBeside(path: string): Promise<string | undefined>;
  /** Keeps standard input in the spool. @returns the path. */
  keepStdin(spool: Spool): Promise<string>;
}

/** Facts about this host. */
export interface Host {
  readonly id: string;
  readonly processors: number;
  /** Bytes that user data may still take on the disk that holds the path. */
  freeBytes(path: string): Promise<number>;
}

/** What a use case says while it works; the command line shows it. */
export interface Reporter {
  step(text: string): void;
  detail(text: string): void;
  warn(text: string): void;
  /** Bytes so far, and of how many where that is known. */
  progress(done: number, total: number | undefined): void;
  /** Shows a question; undefined when there is no terminal to ask on. */
  ask(question: string): Promise<string | undefined>;
}

/** Everything, as the composition root hands it out. Use cases ask for a `Pick` of it. */
export interface Ports {
  readonly clock: Clock;
  readonly dokku: Dokku;
  readonly postgres: Postgres;
  readonly locks: Locks;
  readonly journals: Journals;
  readonly previous: PreviousDatabases;
  readonly log: OperationLog;
  readonly settings: SettingsStore;
  readonly spools: Spools;
  readonly sources: Sources;
  readonly host: Host;
  readonly reporter: Reporter;
  /** The storage that a service's backups go to; undefined settings give the default place. */
  storage(backupDir: string | undefined): Storage;
  /** Fires when the person or the system asks this process to stop. */
  readonly signal: AbortSignal;
}
