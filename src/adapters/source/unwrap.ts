import { type Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';

import type { Wrapping } from '../../domain/source.ts';

/**
 * Runs `command` with `input` as its standard input and gives its output. A command that is missing
 * or fails must fail the stream, and before its end (style: a child's failure is a stream failure).
 */
export type SpawnFilter = (command: string, args: string[], input: Readable, signal?: AbortSignal) => Readable;

/** Opens what is encrypted, with keys of its own. `name` is what messages call it. */
export type Decrypt = (kind: 'age' | 'gpg', input: Readable, name: string) => AsyncIterable<Uint8Array>;

/** What reading a wrapped source needs. */
export interface SourceDeps {
  readonly spawnFilter: SpawnFilter;
  readonly decrypt: Decrypt;
}

const CHUNK = 256 * 1024;

/**
 * Takes one compression off a stream. The bytes end only where the input was whole: whatever is wrong
 * with it, a missing tail included, is thrown.
 */
export function decompress(
  wrapping: Exclude<Wrapping, 'tar' | 'age' | 'gpg'>,
  input: Readable,
  deps: SourceDeps,
  signal?: AbortSignal,
): AsyncIterable<Buffer> {
  switch (wrapping) {
    case 'gzip':
      return inflate(input, createGunzip({ chunkSize: CHUNK }));
    case 'zstd':
      return inflate(input, createZstdDecompress({ chunkSize: CHUNK }), 'zstd -dc');
    case 'xz':
      return deps.spawnFilter('xz', ['-dc'], input, signal);
    case 'bzip2':
      return deps.spawnFilter('bzip2', ['-dc'], input, signal);
  }
}

/**
 * Node's zstd stops without a word where a frame is followed by rubbish, before Node 24.22 also where it is followed
 * by another frame, so the bytes it took are compared with those it was given.
 */
async function* inflate(input: Readable, engine: Transform & { bytesWritten: number }, whole?: string): AsyncIterable<Buffer> {
  let given = 0;
  async function* meter(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of chunks) {
      given += chunk.length;
      yield chunk;
    }
  }
  const fed = pipeline(input, meter, engine);
  // the loop throws the same error first; without this it would count as unhandled too
  fed.catch(() => {});
  yield* engine as AsyncIterable<Buffer>;
  await fed;
  if (whole !== undefined && engine.bytesWritten !== given) {
    throw new Error(
      `${given - engine.bytesWritten} bytes follow the first compressed frame; only one frame is read here (several: decompress with ${whole} first)`,
    );
  }
}
