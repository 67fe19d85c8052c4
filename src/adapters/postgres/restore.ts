import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { messageOf, PgbackupError } from '../../domain/errors.ts';
import type { RestoreInput, RestoreOptions, Spool } from '../../ports.ts';
import type { Exec, Sidecar } from '../docker/sidecar.ts';
import { makeFifo, writeFifo } from '../fifo.ts';
import { spoolInside } from './dump.ts';
import { connectionTo } from './quote.ts';

/** A way to read the dump inside the sidecar. */
export interface InputRoute {
  readonly sidecar: Sidecar;
  readonly spool: Spool;
  /** Path inside the sidecar of the file that `input.file` names, when it is mounted there. */
  readonly fileInside: string | undefined;
  /** For the programs that work on the server. */
  readonly env: Readonly<Record<string, string>>;
}

let fifos = 0;

/**
 * Feeds the bytes of a dump to a program's standard input through a FIFO.
 * @param toEnd the source is read to its end though the program may have all it needs before: only there does a source
 * that is compared with its checksum on the way say whether it was the right one.
 * @returns what the program printed.
 */
async function feed(
  route: InputRoute,
  input: RestoreInput,
  command: readonly string[],
  what: string,
  code: 'postgres' | 'damaged',
  toEnd = true,
): Promise<string> {
  fifos += 1;
  const name = `input-${fifos}`;
  const path = `${route.spool.path}/${name}`;
  await makeFifo(path);
  const child = await route.sidecar.exec(['sh', '-c', `exec "$@" < ${spoolInside}/${name}`, 'sh', ...command], route.env);
  child.stdin.end();
  const printed = child.stdout.toArray();
  printed.catch(() => {});
  const sink = await writeFifo(path, child.done);
  const source: Readable = input.open();
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let ended = false;
  // Not the stream itself: a pipeline would destroy it with the sink, and with it what is still to be compared.
  async function* each(): AsyncGenerator<Buffer> {
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  }
  // A reader that fails is told by its exit code, which says more than the broken pipe it leaves behind.
  let broken: unknown;
  if (sink) await pipeline(each, sink).catch((error: unknown) => (broken = error));
  if (toEnd && !ended && (broken === undefined || isBrokenPipe(broken)) && (await child.done).exitCode === 0) {
    for await (const _ of each()) if (source.destroyed) break;
  }
  source.destroy();
  if (broken !== undefined && !isBrokenPipe(broken)) {
    // The child saw an ordinary end of file and may have believed it: its verdict is worth nothing now.
    await child.done;
    throw broken instanceof PgbackupError
      ? broken
      : new PgbackupError('damaged', `The dump cannot be read to its end: ${messageOf(broken)}`, { cause: broken });
  }
  await child.ok(code, what);
  return Buffer.concat(await printed).toString('utf8');
}

function isBrokenPipe(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ECONNRESET')
  );
}

async function finish(child: Exec, what: string, code: 'postgres' | 'damaged'): Promise<string> {
  child.stdin.end();
  const printed = Buffer.concat(await child.stdout.toArray()).toString('utf8');
  await child.ok(code, what);
  return printed;
}

/** Runs pg_restore on an archive, from its file where it lies or fed through a FIFO. */
async function pgRestore(
  route: InputRoute,
  input: RestoreInput,
  args: readonly string[],
  what: string,
  code: 'postgres' | 'damaged',
  toEnd = true,
): Promise<string> {
  const command = ['pg_restore', ...args];
  if (route.fileInside !== undefined) return finish(await route.sidecar.exec([...command, route.fileInside], route.env), what, code);
  return feed(route, input, command, what, code, toEnd);
}

/** Decodes an archive to its end. @throws PgbackupError damaged. */
export async function decodeArchive(route: InputRoute, input: RestoreInput): Promise<void> {
  await pgRestore(route, input, ['-f', '/dev/null'], 'The archive is damaged', 'damaged');
}

/** The SQL of an archive's schema. @throws PgbackupError damaged. */
export async function schemaSql(route: InputRoute, input: RestoreInput): Promise<string> {
  return pgRestore(route, input, ['-s', '-f', '-'], 'The archive cannot be read', 'damaged', false);
}

/** Restores an archive into an empty database, and stops at the first error. @throws PgbackupError postgres, damaged. */
export async function restoreArchive(route: InputRoute, database: string, input: RestoreInput, options: RestoreOptions): Promise<void> {
  // Parallel jobs seek in the file; a tar archive has no table to seek by.
  const parallel = route.fileInside !== undefined && input.format === 'custom' && options.jobs > 1;
  const args = [
    ...['-d', connectionTo(database), '-w', '--exit-on-error'],
    ...(parallel ? ['-j', String(options.jobs)] : []),
    ...(options.withOwners ? [] : ['--no-owner', '--no-acl']),
  ];
  await withRoleHint(pgRestore(route, input, args, 'pg_restore failed', 'postgres'));
}

/** A policy, a default privilege or plain SQL names its roles whatever becomes of owners. */
async function withRoleHint(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const role = error instanceof PgbackupError ? /role "((?:[^"]|"")+)" does not exist/.exec(error.message)?.[1] : undefined;
    if (role === undefined || !(error instanceof PgbackupError)) throw error;
    throw new PgbackupError(error.code, error.message, {
      cause: error,
      hint: `Make the role, which needs no login for this, and restore again: echo 'CREATE ROLE "${role}" NOLOGIN;' | dokku postgres:connect <service>`,
    });
  }
}

/** Runs plain SQL, already stripped of what would leave the database, in an empty one. @throws PgbackupError postgres, refused, damaged. */
export async function restoreSql(route: InputRoute, database: string, input: RestoreInput): Promise<void> {
  // Where psql knows it, no command of its own is obeyed any more, whatever the SQL makes it take for one (pitfall 37).
  const help = await route.sidecar.output(['psql', '--help=commands'], 'psql cannot be started');
  const restrict = help.includes('\\restrict') ? ['-c', `\\restrict ${crypto.randomUUID().replaceAll('-', '')}`] : [];
  const psql = ['psql', '-X', '-q', '-w', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-d', connectionTo(database), ...restrict, '-f', '-'];
  await withRoleHint(feed(route, input, psql, 'psql failed', 'postgres'));
}
