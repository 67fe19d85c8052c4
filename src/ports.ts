/**
 * What the use cases in `app/` need from the world. Each interface promises only what its comment says;
 * the adapters keep those promises and the contract tests check them.
 */
import type { Readable } from 'node:stream';
import type { ServiceFigures } from './domain/figures.ts';
import type { PgbackupError } from './domain/errors.ts';
import type { Journal } from './domain/journal.ts';
import type { LegacyBackup } from './domain/legacy-backup.ts';
import type { AppRevision, DatabaseProperties, TableRows } from './domain/manifest.ts';
import type { AppName, ServiceName } from './domain/names.ts';
import type { NoticeOutcome, NoticeRequest } from './domain/notice.ts';
import type { PreviousDatabase } from './domain/previous.ts';
import type { ScheduleEntry } from './domain/schedule-entry.ts';
import type { Service } from './domain/service.ts';
import type { StorageConfig } from './domain/storage-config.ts';
import type { StorageName } from './domain/storage-name.ts';
import type { DumpFormat, InspectedSource, SqlReport } from './domain/source.ts';

/** Time and chance, so that tests can fix both. */
export interface Clock {
  now(): Date;
  /** Four characters of a-z and 0-9. */
  suffix(): string;
}

/** Lets time pass. @throws the signal's reason. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/** One object in a storage. */
export interface StoredObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly modified: Date;
  /** Until when the storage refuses to delete it (object lock); undefined: it is not locked. */
  readonly lockedUntil?: Date;
}

/** One key of a listing. */
export interface ListedKey {
  readonly key: string;
  /** Changes with the object's content; undefined where the storage cannot tell without asking for each. */
  readonly tag: string | undefined;
  readonly modified: Date | undefined;
}

export interface PutOptions {
  readonly signal?: AbortSignal | undefined;
  /** About how many bytes will come: a storage that takes them in parts sizes those by it. */
  readonly expectedBytes?: number | undefined;
}

export interface PutResult {
  readonly bytes: number;
  /** True: the storage has compared checksums of all it took with ours. False: only reading it back proves what it holds. */
  readonly confirmed: boolean;
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
  /** @throws PgbackupError storage; whatever the body throws comes through unchanged. */
  put(key: string, body: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<PutResult>;
  /** @throws PgbackupError not-found, storage. Failures after the start come as stream errors. */
  get(key: string, signal?: AbortSignal): Promise<Readable>;
  /** The whole of a small object as UTF-8. @throws PgbackupError not-found, storage. */
  readText(key: string): Promise<string>;
  head(key: string): Promise<StoredObject | undefined>;
  /** Keys of the complete objects that begin with the prefix, in no particular order. */
  list(prefix: string): AsyncIterable<ListedKey>;
  /** A missing key is no error. */
  delete(key: string): Promise<void>;
  /** Path of an object that is a file on this host; undefined for remote storages. */
  filePath(key: string): string | undefined;
  /** Removes what killed uploads left behind under the prefix; with `olderThan` only those that were last written to before. */
  sweep(prefix: string, olderThan?: Date): Promise<void>;
}

/** Access keys of an S3 storage. */
export interface StorageKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** One thing that a check of a storage has found. */
export interface StorageFinding {
  readonly id: string;
  readonly title: string;
  readonly state: 'ok' | 'missing' | 'denied' | 'unknown';
  readonly detail: string;
  /** Without it no backup can be taken to this storage. */
  readonly required: boolean;
}

/** The storages of this host. `local` is always there, and not in the list of those that were made. */
export interface Storages {
  /**
   * @param backupDir the directory of `local` that the settings name; undefined: the default one.
   * @throws PgbackupError not-found. Whether it can be reached is told by its use.
   */
  open(name: StorageName, backupDir: string | undefined): Storage;
  list(): readonly StorageName[];
  /** The same for two storages that are the same place, whatever they are called. @throws PgbackupError not-found, storage. */
  identity(name: StorageName, backupDir: string | undefined): string;
  /** @throws PgbackupError not-found, storage (its file cannot be read). */
  config(name: StorageName): StorageConfig;
  /** Makes it, or replaces it. Durable when it resolves. @throws PgbackupError storage. */
  write(name: StorageName, config: StorageConfig): Promise<void>;
  writeKeys(name: StorageName, keys: StorageKeys): Promise<void>;
  /** The id of its access key; undefined: it has none. */
  keyId(name: StorageName): string | undefined;
  /** Forgets how it was set up, and its keys; what lies there stays. */
  remove(name: StorageName): Promise<void>;
  /** Writes, reads, lists and deletes there, and tells what it can do. */
  check(name: StorageName, backupDir: string | undefined, signal: AbortSignal): Promise<readonly StorageFinding[]>;
  /** The object behind an address like `s3://bucket/key`, with the access of the storage named. */
  openAddress(name: StorageName, address: string): { readonly storage: Storage; readonly key: string };
}

export type MaintenanceState = 'on' | 'off' | 'unavailable';

/** Dokku's own commands. A name that Dokku does not know gives undefined, any other failure throws PgbackupError dokku. */
export interface Dokku {
  service(name: ServiceName): Promise<Service | undefined>;
  /** Every Postgres service of the host. */
  services(): Promise<readonly ServiceName[]>;
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

/** How somebody waits for what others have. */
export interface Wait {
  readonly until: Date;
  readonly signal: AbortSignal;
  /** Hears for whom, once, when it is not had at once. */
  waiting(reason: string): void;
}

/** Locks that die with this process. */
export interface Locks {
  /**
   * The service, for one operation alone.
   * @throws PgbackupError locked, naming who holds it and since when: at once, or when the wait is over; the signal's reason.
   */
  acquire(service: ServiceName, purpose: string, wait?: Wait): Promise<AsyncDisposable>;
  /**
   * A backup of the service, for as long as it is read; several may read it. Whoever restores into another service,
   * verifies, downloads or copies has no lock of the service, and must not lose what it reads.
   * @param purpose with its article: `a restore`. @throws PgbackupError locked, when it is being removed.
   */
  reading(service: ServiceName, id: string, purpose: string): Promise<AsyncDisposable>;
  /** A backup that is to be removed. @throws PgbackupError locked, naming who reads it and since when. */
  removing(service: ServiceName, id: string): Promise<AsyncDisposable>;
  /** By the id of each backup of the service that is being read: by whom, and since when. */
  readers(service: ServiceName): Promise<ReadonlyMap<string, string>>;
}

/** Places for scheduled runs, given back when this process is gone. */
export interface Slots {
  /** One of the first `count` places of this host. @throws PgbackupError locked, when the wait is over; the signal's reason. */
  take(count: number, wait: Wait): Promise<AsyncDisposable>;
}

/** A service whose schedules cannot be read. */
export interface ScheduleProblem {
  readonly service: string;
  readonly error: PgbackupError;
}

/** The schedules of all services, and what the trigger cron-entries tells of them. */
export interface Schedules {
  /** One that cannot be read does not hide the others. */
  list(): Promise<{ readonly entries: readonly ScheduleEntry[]; readonly problems: readonly ScheduleProblem[] }>;
  /** All schedules of a service; none: it has none. Durable when it resolves. @throws PgbackupError storage. */
  write(service: ServiceName, entries: readonly ScheduleEntry[]): Promise<void>;
  /** Whoever changes schedules does so alone. @throws PgbackupError locked. */
  lock(): Promise<AsyncDisposable>;
}

/** One line of user dokku's crontab. */
export interface CronTask {
  readonly schedule: string;
  readonly command: string;
}

/** User dokku's crontab, shared with Dokku and its other plugins. All methods throw PgbackupError dokku. */
export interface Cron {
  /** Has Dokku write it anew from what all plugins say. */
  apply(): Promise<void>;
  /** What is in it now. */
  installed(): Promise<readonly CronTask[]>;
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
  /** partial: a backup that not all of its storages have. */
  readonly outcome: 'ok' | 'partial' | 'failed' | 'recovered';
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
  /** The services that have settings of their own. */
  scopes(): Promise<readonly ServiceName[]>;
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

/** How much of the machine a sidecar may have while others want it, too. */
export interface Shares {
  /** Of 1024, which a container has ordinarily. */
  readonly cpu: number;
  /** 10 to 1000, of 500 ordinarily; undefined: as it is. Not every kernel knows it. */
  readonly io: number | undefined;
}

export interface ServerOptions {
  readonly spool: Spool;
  readonly shares?: Shares;
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

/**
 * Where the bytes of a source are: in a file of this host, or behind whatever gives them from their beginning as often
 * as asked (an object of a storage). The label stands for it in messages.
 */
export type Origin = { readonly path: string } | { readonly label: string; open(): Readable | Promise<Readable> };

/** What is restored from. */
export interface Sources {
  /**
   * Finds the dump, opening what is encrypted with the keys. The result remembers them (and shows them to nobody),
   * so that the other methods can open the same source.
   * @throws PgbackupError not-found, damaged, refused.
   */
  inspect(origin: Origin, keys: Keyring): Promise<InspectedSource>;
  /** The dump without its wrappings; plain SQL also without what would leave the database it is run in. */
  open(origin: Origin, inspected: InspectedSource, serverMajor: number): Readable;
  /** Reads a plain SQL dump to its end. @throws PgbackupError damaged, refused. */
  inspectSql(origin: Origin, inspected: InspectedSource): Promise<SqlReport>;
  /** SHA-256 (hex) and bytes of a source as it lies. */
  hash(origin: Origin): Promise<{ readonly sha256: string; readonly bytes: number }>;
  /** The checksum that a manifest beside the file gives for it: an own archive that was named by its path. */
  checksumBeside(path: string): Promise<string | undefined>;
  /** Keeps standard input in the spool. @returns the path. */
  keepStdin(spool: Spool): Promise<string>;
  /** Keeps what a stream gives in the spool. @throws PgbackupError storage, also when it does not give so many bytes. @returns the path. */
  keep(bytes: Readable, spool: Spool, size: number): Promise<string>;
  /**
   * The text of a small file that holds a key or a passphrase; `-` is standard input.
   * @throws PgbackupError usage, not-found, refused. No message holds anything of the text.
   */
  readKeyFile(path: string): Promise<{ readonly text: string; readonly readableByOthers: boolean }>;
}

/** Facts about this host. */
export interface Host {
  readonly id: string;
  readonly processors: number;
  /** The zone by which cron reads its times, for example Europe/Berlin. */
  readonly timeZone: string;
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

/** Tells the endpoints that people have named. */
export interface Notifier {
  /** Of this program. */
  readonly version: string;
  /**
   * Makes all calls at once. Resolves within the seconds given, whatever the endpoints do, and never throws:
   * what went wrong is in the outcomes, one for each request in their order.
   */
  deliver(requests: readonly NoticeRequest[], timeout: number): Promise<readonly NoticeOutcome[]>;
}

/** What is kept for monitoring, none of which matters to backups and restores. */
export interface Monitoring {
  figures(): Promise<readonly ServiceFigures[]>;
  /** undefined: forgets them. @throws PgbackupError storage. */
  keepFigures(service: ServiceName, figures: ServiceFigures | undefined): Promise<void>;
  /** Schedules that somebody was told of as overdue, as `service/id`. */
  toldOverdue(): Promise<readonly string[]>;
  keepToldOverdue(told: readonly string[]): Promise<void>;
  /** Replaces the file that a collector reads in the directory, which sees the old one or the new one whole. @throws PgbackupError storage. */
  publish(directory: string, text: string): Promise<void>;
}

/** Everything, as the composition root hands it out. Use cases ask for a `Pick` of it. */
export interface Ports {
  readonly clock: Clock;
  readonly pause: Pause;
  readonly dokku: Dokku;
  readonly postgres: Postgres;
  readonly locks: Locks;
  readonly slots: Slots;
  readonly schedules: Schedules;
  readonly cron: Cron;
  readonly journals: Journals;
  readonly previous: PreviousDatabases;
  readonly log: OperationLog;
  readonly settings: SettingsStore;
  readonly spools: Spools;
  readonly sources: Sources;
  readonly host: Host;
  readonly reporter: Reporter;
  readonly notifier: Notifier;
  readonly monitoring: Monitoring;
  readonly storages: Storages;
  /** Fires when the person or the system asks this process to stop. */
  readonly signal: AbortSignal;
  readonly encryption: Encryption;
  readonly legacyBackups: LegacyBackups;
}

/** To whom an archive is encrypted. */
export type EncryptionTarget =
  | { readonly kind: 'recipients'; readonly recipients: readonly string[] }
  | { readonly kind: 'passphrase'; readonly passphrase: string };

/** Keys that may open an encrypted file. */
export interface Keyring {
  /** As `Encryption.parseIdentities` gives them: of age, and armored secret keys of gpg. */
  readonly identities: readonly string[];
  /** Of a file encrypted with one, or of a secret key of gpg. */
  readonly passphrase: string | undefined;
}

/** Encryption of archives, in the format of the program `age`. No message of its errors holds anything of a key. */
export interface Encryption {
  /** @throws PgbackupError usage, for what is no recipient. */
  checkRecipients(recipients: readonly string[]): Promise<void>;
  /** The stream encrypted, in constant memory. Errors of the body come through unchanged. */
  encrypt(target: EncryptionTarget, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /**
   * The stream decrypted, also from ASCII armor. It ends only where the encrypted one was whole.
   * @param name what messages call it. @throws PgbackupError refused, before any of the payload, when no key opens it;
   * damaged when anything of it is altered or its end is missing. Errors of the body come through unchanged.
   */
  decrypt(keys: Keyring, body: AsyncIterable<Uint8Array>, name?: string): AsyncIterable<Uint8Array>;
  /** The secret keys in the text of an identity file. @throws PgbackupError usage. */
  parseIdentities(text: string): Promise<readonly string[]>;
  /** Recipients of the age keys among these, to tell that a key is the wrong one before anything is touched. */
  recipientsOf(identities: readonly string[]): Promise<readonly string[]>;
}

/** The backups that dokku-postgres takes by itself. */
export interface LegacyBackups {
  /** How they are set up; undefined: not at all. @throws PgbackupError dokku. */
  read(service: Service): Promise<LegacyBackup | undefined>;
  /** Ends their schedule, and makes sure that it is gone. @throws PgbackupError dokku. */
  unschedule(service: ServiceName): Promise<void>;
}
