import { createReadStream } from 'node:fs';
import { addAbortSignal, Readable } from 'node:stream';

import { messageOf, PgbackupError } from '../../domain/errors.ts';
import type { InspectedSource, Wrapping } from '../../domain/source.ts';
import type { Origin } from '../../ports.ts';
import { shellWord } from '../files.ts';
import { readMember } from './tar-member.ts';
import { decompress, type SourceDeps } from './unwrap.ts';

const FILE_CHUNK = 1024 * 1024;

/** What messages call a source. */
export function nameOf(origin: Origin): string {
  return 'path' in origin ? origin.path : origin.label;
}

/** The bytes of a source as it lies. */
export async function openOrigin(origin: Origin, signal?: AbortSignal): Promise<Readable> {
  if ('path' in origin) return createReadStream(origin.path, { highWaterMark: FILE_CHUNK, signal });
  const stream = await origin.open();
  return signal ? addAbortSignal(signal, stream) : stream;
}

/**
 * The bytes of the dump inside a source, in constant memory. The stream ends only if every wrapping was
 * whole to its last byte; anything else, a missing tail and a failing xz included, destroys it with a
 * `PgbackupError` (`damaged`, `refused`, `not-found` or `interrupted`).
 */
export function openSource(
  origin: Origin,
  inspected: Pick<InspectedSource, 'wrappings' | 'member'>,
  deps: SourceDeps,
  signal?: AbortSignal,
): Readable {
  return fromBytes(named(origin, inspected, deps, signal));
}

/** Peels the wrappings in order, outermost first. Errors are raw; `openSource` gives them a name. */
async function unwrapped(
  origin: Origin,
  { wrappings, member }: Pick<InspectedSource, 'wrappings' | 'member'>,
  deps: SourceDeps,
  signal: AbortSignal | undefined,
): Promise<Readable> {
  let stream = await openOrigin(origin, signal);
  for (const wrapping of wrappings) stream = fromBytes(peel(wrapping, stream, member, nameOf(origin), deps, signal));
  return stream;
}

function peel(
  wrapping: Wrapping,
  input: Readable,
  member: string | undefined,
  name: string,
  deps: SourceDeps,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  if (wrapping === 'age' || wrapping === 'gpg') return deps.decrypt(wrapping, input, name);
  if (wrapping !== 'tar') return decompress(wrapping, input, deps, signal);
  if (member === undefined) throw new Error('A tar archive was inspected, but no member of it was chosen.');
  return readMember(input, member, name);
}

function fromBytes(chunks: AsyncIterable<Uint8Array>): Readable {
  return chunks instanceof Readable ? chunks : Readable.from(chunks, { objectMode: false, highWaterMark: FILE_CHUNK });
}

/** Opens the file only when the first byte is asked for: a stream that nobody reads would fail unheard. */
async function* named(
  origin: Origin,
  inspected: Pick<InspectedSource, 'wrappings' | 'member'>,
  deps: SourceDeps,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  try {
    signal?.throwIfAborted();
    yield* await unwrapped(origin, inspected, deps, signal);
  } catch (error) {
    throw sourceError(error, nameOf(origin), inspected.wrappings, signal);
  }
}

/** Says of any failure to read a source what it was, which file, and what to do. */
export function sourceError(error: unknown, path: string, wrappings: readonly Wrapping[], signal?: AbortSignal): PgbackupError {
  if (error instanceof PgbackupError) return error;
  if (signal?.aborted === true) return new PgbackupError('interrupted', `Reading ${path} was interrupted.`, { cause: error });
  const root = rootOf(error);
  const code = 'code' in root ? root.code : undefined;
  const syscall = 'syscall' in root ? String(root.syscall) : '';
  const filter = wrappings.find((wrapping) => wrapping === 'xz' || wrapping === 'bzip2');
  if (code === 'ENOENT' && syscall.startsWith('spawn') && filter !== undefined) {
    return new PgbackupError('refused', `${path} is packed with ${filter}, and this host has no ${filter} program.`, {
      hint: `Install it: apt-get install ${filter === 'xz' ? 'xz-utils' : 'bzip2'}`,
      cause: error,
    });
  }
  if (code === 'ENOENT')
    return new PgbackupError('not-found', `There is no file ${path}`, {
      cause: error,
      hint: 'If a backup is meant, its id is listed by: dokku pgbackup:list <target>',
    });
  if (code === 'EACCES' || code === 'EPERM') {
    return new PgbackupError('refused', `${path} cannot be read: permission denied.`, {
      hint: `Hand its bytes in instead: dokku pgbackup:restore <target> - --confirm <target> < ${shellWord(path)}`,
      cause: error,
    });
  }
  if (code === 'EISDIR') {
    return new PgbackupError('refused', `${path} is a directory, not a dump.`, {
      hint: `A directory-format dump can be turned into SQL first: pg_restore -f dump.sql ${path}`,
      cause: error,
    });
  }
  // tools explain themselves at length: the first lines say it
  const reason = messageOf(error)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(0, 2)
    .join('; ');
  const layers = wrappings.length === 0 ? '' : ` (${wrappings.join(' › ')})`;
  return new PgbackupError('damaged', `${path} is damaged${layers}: ${reason.replace(/[\s.:;]+$/, '')}.`, {
    hint: 'Take another copy of it; what there is of this one is not restored.',
    cause: error,
  });
}

/** A failed program carries the cause of its failure to start, or to be fed, inside. */
function rootOf(error: unknown): object {
  let root: unknown = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root : {};
}
