import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import type { Extract } from 'tar-stream';

import { PgbackupError } from '../../domain/errors.ts';
import { SNIFF_BYTES, sniff } from './sniff.ts';

/** Where in a tar archive the dump lies: the tar itself is one (`pg_dump -Ft`), or one of its members is. */
export type TarFinding = { readonly kind: 'pg_dump-tar' } | { readonly kind: 'member'; readonly name: string };

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;

/** What dokku-postgres calls the dump in the archives of its `postgres:backup`. */
const DOKKU_POSTGRES_MEMBER = 'backup/export';

/**
 * Looks for the dump in a tar archive and reads no further than to it. The first file that is a dump
 * (wrapped or not) counts; that it is the only one is seen by `readMember`, which reads them all.
 */
export async function findDump(tar: Readable, where: string): Promise<TarFinding> {
  let names: string[] = [];
  let found: TarFinding | undefined;
  for await (const entry of entriesOf(tar)) {
    const name = memberName(entry);
    const chunks = chunksOf(entry)[Symbol.asyncIterator]();
    if (name !== undefined) {
      names = [...names, name].slice(-20);
      refuseDirectoryFormat(name, where);
      // a second name is asked for, since a packed directory dump may begin with its toc.dat too
      if (found !== undefined) break;
      if (name === 'toc.dat') found = { kind: 'pg_dump-tar' };
      else if (name === DOKKU_POSTGRES_MEMBER || isDump(await headOf(chunks))) return { kind: 'member', name };
    }
    await drain(chunks);
  }
  if (found !== undefined) return found;
  throw new PgbackupError('damaged', `${where}: no dump in this tar archive. It holds: ${names.join(', ') || 'nothing'}.`, {
    hint: 'Pack the dump itself, or name the file that holds it.',
  });
}

/**
 * The bytes of one member. They end only after the whole archive was read, since the checksum of a
 * compressed one lies at its end. A second dump beside it is an error: which one is meant is not known.
 */
export async function* readMember(tar: Readable, member: string, where: string): AsyncIterable<Buffer> {
  let seen = false;
  for await (const entry of entriesOf(tar)) {
    const name = memberName(entry);
    if (name === member && !seen) {
      seen = true;
      yield* wholeEntry(entry, where);
      continue;
    }
    const chunks = chunksOf(entry)[Symbol.asyncIterator]();
    if (name !== undefined && isDump(await headOf(chunks))) {
      throw new PgbackupError('refused', `${where}: holds more than one dump: ${member} and ${name}.`, {
        hint: 'Unpack it and restore the one that is meant.',
      });
    }
    await drain(chunks);
  }
  if (!seen) throw new PgbackupError('damaged', `${where}: ${member} is no longer in this tar archive.`);
}

async function* entriesOf(tar: Readable): AsyncIterable<Entry> {
  // tar archives older than ustar are accepted too: each header has a checksum, which is proof enough.
  // Not written inline, since tar-stream's own types do not know the option.
  const options = { allowUnknownFormat: true, highWaterMark: 1024 * 1024 };
  // Loaded only here: most commands see no tar archive. By its default export: a CommonJS library has no other in the bundle.
  const { default: tarStream } = await import('tar-stream');
  const archive = tarStream.extract(options);
  const fed = pipeline(tar, archive);
  fed.catch(() => {});
  try {
    yield* archive;
    // the end counts only once all that fed the archive has ended well too
    await fed;
  } finally {
    tar.destroy();
  }
}

async function* wholeEntry(entry: Entry, where: string): AsyncIterable<Buffer> {
  let bytes = 0;
  for await (const chunk of chunksOf(entry)) {
    bytes += chunk.length;
    yield chunk;
  }
  if (bytes !== entry.header.size) {
    throw new PgbackupError('damaged', `${where}: ends in the middle of ${entry.header.name}.`);
  }
}

async function headOf(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const head: Buffer[] = [];
  for (let size = 0; size < SNIFF_BYTES;) {
    const next = await chunks.next();
    if (next.done === true) break;
    head.push(next.value);
    size += next.value.length;
  }
  return Buffer.concat(head).subarray(0, SNIFF_BYTES);
}

/** tar-stream's types leave open what a chunk is. */
function chunksOf(entry: Entry): AsyncIterable<Buffer> {
  return entry as AsyncIterable<Buffer>;
}

/** Reads what is left; ending the iterator instead would destroy the archive with it. */
async function drain(chunks: AsyncIterator<Buffer>): Promise<void> {
  for (let next = await chunks.next(); next.done !== true;) next = await chunks.next();
}

/** The name of a regular file in the archive, without a leading `./`. */
function memberName(entry: Entry): string | undefined {
  const { type, name } = entry.header;
  if (type !== 'file' && type !== 'contiguous-file') return undefined;
  return name.replace(/^(?:\.?\/)+/, '');
}

function isDump(head: Buffer): boolean {
  const kind = sniff(head);
  return kind !== 'unknown' && kind !== 'empty';
}

function refuseDirectoryFormat(name: string, where: string): void {
  if (!/.\/toc\.dat$|(?:^|\/)(?:\d+|blob_\d+)\.dat\.(?:gz|lz4|zst)$/.test(name)) return;
  throw new PgbackupError('refused', `${where}: holds a directory-format dump (${name}), which is not read yet.`, {
    hint: 'Unpack it and turn it into SQL first: pg_restore -f dump.sql <directory>',
  });
}
