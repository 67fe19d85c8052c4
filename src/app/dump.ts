import { createHash } from 'node:crypto';
import { PgbackupError } from '../domain/errors.ts';
import type { Service } from '../domain/service.ts';
import type { Dump, DumpRequest, EncryptionTarget, Ports, PostgresServer, RowCounts, Snapshot } from '../ports.ts';
import { abortable } from './abortable.ts';
import type { Copies, Stored } from './copies.ts';

/** A dump and to whom it is encrypted. */
export interface DumpWork extends DumpRequest {
  readonly encryption: EncryptionTarget | undefined;
}

type Facts = Awaited<ReturnType<Snapshot['facts']>>;

/**
 * A dump whose rows were counted in the same state of the database. Where a table was truncated meanwhile the two may
 * have seen different things, in spite of their common snapshot: then it is done once more.
 * @throws PgbackupError not-found (a schema), postgres, and whatever the storage throws.
 */
export async function dumpConsistently(
  ports: Pick<Ports, 'reporter' | 'signal' | 'encryption'>,
  server: PostgresServer,
  service: Service,
  copies: Copies,
  request: DumpWork,
): Promise<{ facts: Facts; dump: Dump; file: string; rows: RowCounts; sent: Stored }> {
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
    const done = await dumpAndCount(ports, snapshot, copies, request, facts.bytes);
    const rewritten = await abortable(ports.signal, snapshot.rewrittenTables());
    if (rewritten.length === 0) return { facts, ...done };
    await snapshot[Symbol.asyncDispose]();
    await copies.removeArchive(done.file);
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

/** Dumps into the storages while the rows of the same snapshot are counted; tells what was sent to them. */
async function dumpAndCount(
  ports: Pick<Ports, 'reporter' | 'signal' | 'encryption'>,
  snapshot: Snapshot,
  copies: Copies,
  request: DumpWork,
  expectedBytes: number,
): Promise<{ dump: Dump; file: string; rows: RowCounts; sent: Stored }> {
  const { encryption } = request;
  const dump = await snapshot.dump(request);
  const file = encryption === undefined ? dump.file : `${dump.file}.age`;
  // What is neither wrapped nor encrypted is stored as it left pg_dump, where it was hashed already.
  const hash = dump.wrapping === null && encryption === undefined ? undefined : createHash('sha256');
  let bytes = 0;
  let read = 0;
  // The two end each other: neither a long count nor a dump that waits for a lock is waited for in vain.
  const failed = new AbortController();
  const stop = AbortSignal.any([ports.signal, failed.signal]);
  async function* metered(): AsyncGenerator<Uint8Array> {
    const chunks = dump.bytes[Symbol.asyncIterator]();
    for (;;) {
      // Not for-await: that would sit in here until the next chunk comes, and none comes from a pg_dump that waits.
      const { done, value } = await abortable(stop, chunks.next());
      if (done === true) return;
      read += value.length;
      // The database's size is no measure of the archive's: what is known is said, no percentage made up.
      ports.reporter.progress(read, undefined);
      yield value;
    }
  }
  async function* stored(): AsyncGenerator<Uint8Array> {
    // Behind the pg_restore that decodes it: it is proven without anybody's key.
    for await (const chunk of encryption === undefined ? metered() : ports.encryption.encrypt(encryption, metered())) {
      hash?.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
  const failing = (error: unknown): never => {
    failed.abort(error);
    throw error;
  };
  const [put, counted] = await Promise.allSettled([
    copies.store(file, stored(), expectedBytes).catch(failing),
    abortable(stop, snapshot.countRows(request.schemas)).catch(failing),
  ]);
  // The first failure, not what it did to the other.
  stop.throwIfAborted();
  if (put.status === 'rejected') throw put.reason;
  if (counted.status === 'rejected') throw counted.reason;
  return { dump, file, rows: counted.value, sent: { bytes, sha256: hash?.digest('hex') ?? dump.plain().sha256 } };
}
