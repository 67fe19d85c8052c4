import { stat } from 'node:fs/promises';

import { PgbackupError } from '../../domain/errors.ts';
import type { DumpFormat, InspectedSource, Wrapping } from '../../domain/source.ts';
import type { Origin } from '../../ports.ts';
import { nameOf, openSource, sourceError } from './open-source.ts';
import { SNIFF_BYTES, sniff } from './sniff.ts';
import { findDump } from './tar-member.ts';
import type { SourceDeps } from './unwrap.ts';

/** A dump inside more than this many wrappings is no dump that anybody made on purpose. */
const MAX_WRAPPINGS = 4;

/** The byte of a custom archive's header that tells its format, and its value there. */
const FORMAT_OFFSET = 10;
const CUSTOM_FORMAT = 1;

/**
 * Finds the dump in a file by reading its bytes: the wrappings are peeled one by one, and only as far
 * as the beginning of the dump, so this proves nothing about its end. Changes nothing.
 *
 * Throws a `PgbackupError`: `damaged` for a file that is empty, cut off or of no known kind, `refused` for one that
 * cannot be read (permission, no key, directory format, too many wrappings), `not-found`.
 */
export async function inspectSource(origin: Origin, deps: SourceDeps): Promise<InspectedSource> {
  const name = nameOf(origin);
  const wrappings: Wrapping[] = [];
  let member: string | undefined;
  const open = (): ReturnType<typeof openSource> => openSource(origin, { wrappings, member }, deps);
  try {
    const size = 'path' in origin ? (await stat(origin.path)).size : undefined;
    for (;;) {
      const head = await readHead(open());
      const kind = sniff(head);
      if (wrappings.length === MAX_WRAPPINGS && kind !== 'custom' && kind !== 'sql') throw tooDeep(name, wrappings);
      switch (kind) {
        case 'custom':
          requireCustom(head, name);
          return finding('custom');
        case 'sql':
          return finding('sql');
        case 'tar': {
          const found = await findDump(open(), name);
          if (found.kind === 'pg_dump-tar') return finding('tar');
          if (member !== undefined) throw tooDeep(name, wrappings);
          member = found.name;
          wrappings.push('tar');
          break;
        }
        case 'gzip':
        case 'zstd':
        case 'xz':
        case 'bzip2':
        case 'age':
        case 'gpg':
          wrappings.push(kind);
          break;
        case 'empty':
          throw new PgbackupError('damaged', `${name} is empty${inside(wrappings)}.`, { hint: 'Take another copy of it.' });
        case 'unknown':
          throw unknown(head, name, wrappings);
      }
    }

    function finding(format: DumpFormat): InspectedSource {
      return { format, wrappings: [...wrappings], member, size, bare: wrappings.length === 0 && 'path' in origin };
    }
  } catch (error) {
    throw sourceError(error, name, wrappings);
  }
}

async function readHead(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const head: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    head.push(chunk);
    size += chunk.length;
    if (size >= SNIFF_BYTES) break;
  }
  return Buffer.concat(head).subarray(0, SNIFF_BYTES);
}

/** The toc.dat of a directory dump begins as a custom archive does, but holds no data. */
function requireCustom(head: Buffer, path: string): void {
  const format = head[FORMAT_OFFSET];
  if (format === CUSTOM_FORMAT) return;
  if (format === undefined) {
    throw new PgbackupError('damaged', `${path} is cut off: it ends within the header of the archive.`, {
      hint: 'Take another copy of it.',
    });
  }
  throw new PgbackupError('refused', `${path} is the table of contents of a directory-format dump, without its data.`, {
    hint: 'Turn the whole directory into SQL first: pg_restore -f dump.sql <directory>',
  });
}

function tooDeep(path: string, wrappings: readonly Wrapping[]): PgbackupError {
  return new PgbackupError('refused', `${path} is wrapped too often (${wrappings.join(' › ')} and more).`, {
    hint: 'Unpack it by hand and restore the dump inside.',
  });
}

function unknown(head: Buffer, path: string, wrappings: readonly Wrapping[]): PgbackupError {
  return new PgbackupError('damaged', `${path} holds no PostgreSQL dump${inside(wrappings)}: ${describe(head)}.`, {
    hint: 'Known are pg_dump custom and tar archives and plain SQL, also inside gzip, zstd, xz, bzip2, tar, age or gpg.',
  });
}

function describe(head: Buffer): string {
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    return 'it is UTF-16 text, as PowerShell writes it; use pg_dump -f instead of >, or iconv -f UTF-16 -t UTF-8';
  }
  if (head.every((byte) => byte === 0)) return 'it begins with nothing but zero bytes';
  const start = head.subarray(0, 200).toString('latin1').trim();
  if (/^<(?:!doctype|html|\?xml|[a-z]+[ >])/i.test(start)) return 'it is an HTML or XML page, perhaps an error message saved as a file';
  if (/^[[{]/.test(start)) return 'it is JSON, perhaps an error message saved as a file';
  // No more of it, and of a short file nothing: it may be a password that was given by mistake, and this goes into a log.
  if (head.length < 64) return `it has ${head.length} bytes`;
  return `it begins with ${JSON.stringify(start.slice(0, 12).replace(/[^\x20-\x7e]/g, '.'))}`;
}

function inside(wrappings: readonly Wrapping[]): string {
  return wrappings.length === 0 ? '' : ` inside its ${wrappings.join(' › ')}`;
}
