import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import { constants, createZstdCompress } from 'node:zlib';
import { PgbackupError } from '../../domain/errors.ts';
import type { Dump, DumpRequest, Spool } from '../../ports.ts';
import type { Exec, Sidecar } from '../docker/sidecar.ts';
import { endFifo, gather, makeFifo, readFifo, writeFifo } from '../fifo.ts';

/** Where the spool of the operation appears inside its sidecar. */
export const spoolInside = '/spool';

/** What the sidecar can do: newer pg_dump compresses by itself, older ones need a zstd beside them. */
export type Compressor = 'pg_dump' | 'zstd' | 'none';

export interface DumpSetup {
  readonly sidecar: Sidecar;
  readonly spool: Spool;
  readonly database: string;
  readonly snapshot: string;
  readonly compressor: Compressor;
  readonly env: Readonly<Record<string, string>>;
}

function dumpArguments(setup: DumpSetup, request: DumpRequest): string[] {
  const zstd = setup.compressor === 'pg_dump' ? `--compress=zstd:${request.compressionLevel}` : '-Z0';
  return [
    ...['-Fc', '-w', zstd, `--snapshot=${setup.snapshot}`, `--lock-wait-timeout=${request.lockTimeout * 1000}`],
    // Quoted: pg_dump would read a name as a pattern, and one that matches nothing must be an error.
    ...request.schemas.flatMap((schema) => ['-n', `"${schema.replaceAll('"', '""')}"`]),
    ...(request.schemas.length > 0 ? ['--strict-names'] : []),
  ];
}

/** Starts pg_dump and, beside it, the pg_restore that proves what comes out. @throws PgbackupError docker, storage. */
export async function startDump(setup: DumpSetup, request: DumpRequest): Promise<Dump> {
  const { sidecar, spool } = setup;
  // An operation may have to dump twice.
  for (const fifo of ['dump', 'decode']) rmSync(`${spool.path}/${fifo}`, { force: true });
  await makeFifo(`${spool.path}/dump`);
  await makeFifo(`${spool.path}/decode`);
  const wrapped = setup.compressor === 'zstd';
  const reader = readFifo(`${spool.path}/dump`);
  // Redirected by the shell: pg_dump -f cannot fsync a FIFO and fails. The database goes by environment, whatever its name.
  const script = wrapped
    ? `set -o pipefail; pg_dump "$@" | zstd -q -${request.compressionLevel} -c > ${spoolInside}/dump`
    : `exec pg_dump "$@" > ${spoolInside}/dump`;
  const shell = wrapped ? 'bash' : 'sh';
  const pgDump = await sidecar.exec([shell, '-c', script, shell, ...dumpArguments(setup, request)], {
    ...setup.env,
    PGDATABASE: setup.database,
  });
  const producer: Exec = {
    ...pgDump,
    ok: (code, what) => pgDump.ok(code, what).catch((error: unknown) => Promise.reject(explainLock(error, request.lockTimeout))),
  };
  // Behind pg_dump and its server in the queue for the processors: they set the pace.
  const decode = wrapped
    ? `set -o pipefail; nice zstd -dcq < ${spoolInside}/decode | nice pg_restore -f /dev/null`
    : `exec nice pg_restore -f /dev/null < ${spoolInside}/decode`;
  const decoder = await sidecar.exec([shell, '-c', decode]);
  const hash = createHash('sha256');
  let bytes = 0;
  const proven = provenBytes(`${spool.path}/dump`, reader, producer, decoder, `${spool.path}/decode`, (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  const compress = setup.compressor === 'none';
  return {
    file: wrapped || compress ? 'archive.dump.zst' : 'archive.dump',
    compression: setup.compressor === 'pg_dump' ? `zstd:${request.compressionLevel}` : 'none',
    wrapping: wrapped || compress ? 'zstd' : null,
    bytes: compress ? compressed(proven, request.compressionLevel) : proven,
    plain: () => ({ bytes, sha256: hash.copy().digest('hex') }),
  };
}

/** What to do about a table that stays locked. */
export const lockHint = 'Take the backup when that has ended, or let it wait longer: dokku pgbackup:set <service> lock-timeout 10m';

/** A table that somebody has locked makes pg_dump speak of a statement timeout, and in one line of up to all tables (pitfall 6). */
function explainLock(error: unknown, lockTimeout: number): unknown {
  const waited =
    error instanceof PgbackupError ? /timeout[^]*LOCK TABLE (?:ONLY )?(.+?)(?: IN ACCESS SHARE MODE|…)/.exec(error.message) : null;
  if (!waited?.[1]) return error;
  const tables = waited[1].split(', ');
  const which = tables.length > 3 ? 'one of its tables' : tables.join(' or ');
  return lockedOut(lockTimeout, which, error);
}

/** @param which the table or tables, as far as they are known. */
export function lockedOut(lockTimeout: number, which: string, cause: unknown): PgbackupError {
  return new PgbackupError(
    'postgres',
    `The backup waited ${lockTimeout} s in vain for ${which}, which somebody has locked (lock timeout)`,
    {
      cause,
      hint: lockHint,
    },
  );
}

function compressed(bytes: AsyncIterable<Uint8Array>, level: number): AsyncIterable<Uint8Array> {
  // One thread: with nbWorkers set, Node's zstd streams come out cut short.
  return Readable.from(bytes).compose(createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } }));
}

/**
 * Every way that pg_dump can fail looks like an ordinary end of file to the reader. So the end is withheld until
 * pg_dump has exited 0 and pg_restore has decoded the very same bytes: whoever stores this stream needs no
 * knowledge of either to be sure that an object that was completed is a whole archive.
 */
async function* provenBytes(
  path: string,
  reader: Readable,
  producer: Exec,
  decoder: Exec,
  decodePath: string,
  meter: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  producer.stdin.end();
  decoder.stdin.end();
  // It may be destroyed before the loop below listens, and an error that nobody hears ends the process.
  reader.on('error', () => {});
  // A producer that fails before it opens the FIFO leaves a reader that would wait for ever.
  const failed = producer.ok('postgres', 'pg_dump failed').then(
    () => endFifo(path),
    (error: unknown) => {
      reader.destroy(error instanceof Error ? error : undefined);
      throw error;
    },
  );
  failed.catch(() => {});
  const decoding = await writeFifo(decodePath, decoder.done);
  const toDecoder = decoding && writeAhead(decoding);
  try {
    for await (const chunk of gather(reader, pieceSize)) {
      meter(chunk);
      yield chunk;
      await toDecoder?.(chunk);
    }
    await failed;
    decoding?.end();
    await decoder.ok('verification', 'What pg_dump wrote cannot be decoded');
    if (!decoding) throw new PgbackupError('verification', 'pg_restore ended before it read the archive');
  } catch (error) {
    // Tell the cause, not its echo: the reader reports what pg_dump's failure did to it.
    await failed;
    throw error;
  } finally {
    reader.destroy();
    decoding?.destroy();
  }
}

const pieceSize = 1024 * 1024;

/** Bytes that may wait for the decoder. Waiting for it chunk by chunk would make the three programs take turns. */
const decodeAhead = 8 * 1024 * 1024;

/** A write that waits only when the reader is far behind, and never for one that has gone away: its exit code says why. */
function writeAhead(sink: Writable): (chunk: Buffer) => Promise<void> {
  let behind = 0;
  let wake: () => void = () => {};
  sink.on('error', () => {});
  sink.on('close', () => wake());
  return async (chunk) => {
    if (sink.destroyed) return;
    behind += chunk.length;
    sink.write(chunk, () => {
      behind -= chunk.length;
      wake();
    });
    while (behind > decodeAhead && !sink.destroyed) await new Promise<void>((resolve) => (wake = resolve));
  };
}
