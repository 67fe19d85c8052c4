import { createHash } from 'node:crypto';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import { formatManifest, type Manifest } from '../domain/manifest.ts';
import { ownDatabasePrefix } from '../domain/previous.ts';
import type { Service } from '../domain/service.ts';
import { parseSettings } from '../domain/settings.ts';
import type { Dump, DumpRequest, Ports, PostgresServer, RowCounts, Snapshot, Storage } from '../ports.ts';
import { abortable } from './abortable.ts';
import { backupFolder } from './catalog.ts';
import { dropExpired, operate, type Operation, type OperationPorts } from './operation.ts';
import { resolveService, type Target } from './resolve.ts';

export interface BackupRequest extends Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly note: string | null;
  /** Exact names; empty: the whole database. */
  readonly schemas: readonly string[];
  readonly toolVersion: string;
}

export interface BackupResult {
  readonly manifest: Manifest;
  readonly place: string;
  readonly seconds: number;
}

export type BackupPorts = OperationPorts & Pick<Ports, 'settings' | 'host'>;

/**
 * Takes a backup of the service's database and proves it.
 * @throws PgbackupError not-found, refused, locked, postgres, docker, dokku, storage, verification. In every case
 * nothing of it is listed, and nothing of it is left.
 */
export async function createBackup(ports: BackupPorts, request: BackupRequest): Promise<BackupResult> {
  const service = await resolveService(ports, request);
  return operate(
    ports,
    service,
    'backup',
    (operation) => backUp(ports, request, service, operation),
    (done) => summary(done.manifest),
  );
}

function summary(manifest: Manifest): string {
  return `${manifest.archive.storedBytes} bytes, ${manifest.rows.length} tables`;
}

async function backUp(ports: BackupPorts, request: BackupRequest, service: Service, operation: Operation): Promise<BackupResult> {
  const settings = parseSettings(await ports.settings.read(service.name), await ports.settings.read('--global'));
  const storage = ports.storage(settings.backupDir);
  const folder = backupFolder(ports.host.id, service.name, operation.id);
  await ports.journals.write(service.name, {
    kind: 'backup',
    operation: operation.id,
    backupDir: settings.backupDir ?? null,
    prefix: folder,
  });
  let done: BackupResult;
  try {
    // Asked for while the sidecar starts: each is a process of its own.
    const revisions = Promise.all(service.apps.map((app) => ports.dokku.revision(app)));
    revisions.catch(() => {});
    await using server = await operation.openServer({ snapshotOf: service.login.database });
    await dropExpired(ports, service, server);
    ports.reporter.step(`Backing up ${service.name} (PostgreSQL ${server.version.version}, database ${service.login.database})`);
    const others = (await server.databases()).filter(
      (d) => ![service.login.database, 'postgres'].includes(d.name) && !d.name.startsWith(ownDatabasePrefix),
    );
    if (others.length > 0)
      ports.reporter.warn(
        `The service also holds ${others.map((d) => d.name).join(', ')}: a backup holds database ${service.login.database} alone`,
      );
    const { facts, dump, rows, sent } = await dumpConsistently(ports, server, service, storage, folder, {
      schemas: request.schemas,
      compressionLevel: settings.compressionLevel,
      lockTimeout: settings.lockTimeout,
    });
    // The server has told all it has to tell: the sidecar goes while the archive is read back.
    void server[Symbol.asyncDispose]();
    const stored = await readBack(ports, storage, folder + dump.file, sent);
    const finishedAt = ports.clock.now();
    const manifest: Manifest = {
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
      apps: await revisions,
      labels: request.labels,
      note: request.note,
      schemas: [...request.schemas],
      publicSchema: facts.schemas.includes('public'),
      startedAt: operation.startedAt.toISOString(),
      finishedAt: finishedAt.toISOString(),
      archive: {
        file: dump.file,
        format: 'custom',
        compression: dump.compression,
        wrapping: dump.wrapping,
        plainBytes: dump.plain().bytes,
        plainSha256: dump.plain().sha256,
        storedBytes: stored.bytes,
        storedSha256: stored.sha256,
        encryption: null,
      },
      rows: [...rows],
      largeObjects: facts.largeObjects,
      provenAt: finishedAt.toISOString(),
    };
    ports.signal.throwIfAborted();
    await storage.put(`${folder}manifest.json`, bytesOf(formatManifest(manifest)));
    await mustLieBeside(storage, folder + dump.file, stored.bytes);
    done = { manifest, place: `${storage.place}/${folder}`, seconds: (finishedAt.getTime() - operation.startedAt.getTime()) / 1000 };
  } catch (error) {
    await takeBack(ports, service, storage, folder);
    throw error;
  }
  // The manifest is there: it is a backup, whatever becomes of the journal.
  await ports.journals.clear(service.name).catch((error: unknown) => ports.reporter.warn(messageOf(error)));
  return done;
}

/** The manifest first: what fails halfway here must not leave one without its archive. */
async function takeBack(ports: Pick<Ports, 'journals' | 'reporter'>, service: Service, storage: Storage, folder: string): Promise<void> {
  try {
    for (const file of ['manifest.json', 'archive.dump', 'archive.dump.zst']) await storage.delete(folder + file);
    await ports.journals.clear(service.name);
  } catch (error) {
    ports.reporter.warn(`Not everything could be removed (${messageOf(error)}); the next command on ${service.name} will do it`);
  }
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** What lies behind a path can change: a disk that is unmounted meanwhile, a link that is turned. @throws PgbackupError storage. */
async function mustLieBeside(storage: Storage, archive: string, bytes: number): Promise<void> {
  if ((await storage.head(archive))?.size === bytes) return;
  throw new PgbackupError('storage', `The archive is no longer where its manifest is: ${storage.place}/${archive}`, {
    hint: `Was the disk of ${storage.place} mounted, unmounted or exchanged meanwhile? Then run the backup again`,
  });
}

type Facts = Awaited<ReturnType<Snapshot['facts']>>;

/**
 * A dump whose rows were counted in the same state of the database. Where a table was truncated meanwhile the two may
 * have seen different things, in spite of their common snapshot: then it is done once more.
 * @throws PgbackupError not-found (a schema), postgres, and whatever the storage throws.
 */
async function dumpConsistently(
  ports: Pick<Ports, 'reporter' | 'signal'>,
  server: PostgresServer,
  service: Service,
  storage: Storage,
  folder: string,
  request: DumpRequest,
): Promise<{ facts: Facts; dump: Dump; rows: RowCounts; sent: Stored }> {
  const { database } = service.login;
  for (let attempt = 1; ; attempt += 1) {
    // Whoever asked ends the server next, and the snapshot with it: nobody waits for each.
    const snapshot = await server.openSnapshot(database);
    const facts = await abortable(ports.signal, snapshot.facts());
    const unknown = request.schemas.find((schema) => !facts.schemas.includes(schema));
    if (unknown !== undefined) {
      throw new PgbackupError('not-found', `Database ${database} has no schema "${unknown}"`, {
        hint: `It has: ${facts.schemas.join(', ')}`,
      });
    }
    const done = await dumpAndCount(ports, snapshot, storage, folder, request);
    const rewritten = await abortable(ports.signal, snapshot.rewrittenTables());
    if (rewritten.length === 0) return { facts, ...done };
    await snapshot[Symbol.asyncDispose]();
    await storage.delete(folder + done.dump.file);
    const which =
      rewritten.length > 3 ? `${rewritten.length} tables were` : `${rewritten.join(', ')} ${rewritten.length > 1 ? 'were' : 'was'}`;
    if (attempt > 1) {
      throw new PgbackupError('postgres', `${which} truncated or rewritten while the backup ran, now for the second time`, {
        hint: 'No snapshot withstands that (TRUNCATE is not MVCC-safe): take the backup at another time than the job that does it',
      });
    }
    ports.reporter.warn(`${which} truncated or rewritten while the backup ran, which no snapshot withstands: it begins anew`);
  }
}

interface Stored {
  readonly bytes: number;
  readonly sha256: string;
}

/** Dumps into the storage while the rows of the same snapshot are counted; tells what was sent to the storage. */
async function dumpAndCount(
  ports: Pick<Ports, 'reporter' | 'signal'>,
  snapshot: Snapshot,
  storage: Storage,
  folder: string,
  request: DumpRequest,
): Promise<{ dump: Dump; rows: RowCounts; sent: Stored }> {
  const dump = await snapshot.dump(request);
  const key = folder + dump.file;
  // What is not wrapped is stored as it left pg_dump, where it was hashed already.
  const hash = dump.wrapping === null ? undefined : createHash('sha256');
  let bytes = 0;
  // The two end each other: neither a long count nor a dump that waits for a lock is waited for in vain.
  const failed = new AbortController();
  const stop = AbortSignal.any([ports.signal, failed.signal]);
  async function* metered(): AsyncGenerator<Uint8Array> {
    const chunks = dump.bytes[Symbol.asyncIterator]();
    for (;;) {
      // Not for-await: that would sit in here until the next chunk comes, and none comes from a pg_dump that waits.
      const { done, value } = await abortable(stop, chunks.next());
      if (done === true) return;
      hash?.update(value);
      bytes += value.length;
      // The database's size is no measure of the archive's: what is known is said, no percentage made up.
      ports.reporter.progress(bytes, undefined);
      yield value;
    }
  }
  const failing = (error: unknown): never => {
    failed.abort(error);
    throw error;
  };
  const [put, counted] = await Promise.allSettled([
    storage.put(key, metered(), stop).catch(failing),
    abortable(stop, snapshot.countRows(request.schemas)).catch(failing),
  ]);
  // The first failure, not what it did to the other.
  stop.throwIfAborted();
  if (put.status === 'rejected') throw put.reason;
  if (counted.status === 'rejected') throw counted.reason;
  return { dump, rows: counted.value, sent: { bytes, sha256: hash?.digest('hex') ?? dump.plain().sha256 } };
}

/** Shows that what lies in the storage is what was sent to it. @throws PgbackupError verification, storage. */
async function readBack(ports: Pick<Ports, 'signal'>, storage: Storage, key: string, sent: Stored): Promise<Stored> {
  const stored = await hashStored(storage, key, ports.signal);
  if (stored.sha256 === sent.sha256 && stored.bytes === sent.bytes) return stored;
  throw new PgbackupError(
    'verification',
    `What ${storage.place} holds is not what was written to it (${stored.bytes} bytes of ${sent.bytes})`,
    {
      hint: 'Check the disk (dmesg, smartctl), then try again',
    },
  );
}

/** SHA-256 (hex) and size of a stored object, read back from the storage. @throws PgbackupError not-found, storage. */
export async function hashStored(storage: Storage, key: string, signal?: AbortSignal): Promise<Stored> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of (await storage.get(key)) as AsyncIterable<Buffer>) {
    signal?.throwIfAborted();
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}
