import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { PgbackupError } from '../domain/errors.ts';
import { run } from './process.ts';

/** Makes a FIFO that only this user may use. @throws PgbackupError storage. */
export async function makeFifo(path: string): Promise<void> {
  const made = await run('mkfifo', ['-m', '600', path]);
  if (made.exitCode !== 0) throw new PgbackupError('storage', `Cannot make the pipe ${path}: ${made.stderr.trim()}`);
}

/**
 * The reading end. Opened without blocking and read through a socket: `fs.createReadStream` would block a
 * thread of the pool until somebody writes, and moves half as much for seven times the work.
 * It never ends when nobody ever writes: destroy it then.
 */
export function readFifo(path: string): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // The pipe itself holds 64 KiB: who writes to it must not wait whenever we are at something else.
  const options = { fd, readable: true, writable: false, readableHighWaterMark: 4 * 1024 * 1024 };
  return new Socket(options);
}

/** The same bytes in pieces of at least that size, the last excepted: a pipe gives 64 KiB at a time, and each piece has its price. */
export async function* gather(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of source) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < size) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces);
}

/** Lets the reader of a FIFO that nobody has written to see its end; one that was written to has seen it. */
export function endFifo(path: string): void {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    // Nobody reads any more.
  }
}

/**
 * The writing end, once somebody reads. Unlike a pipe to `docker exec` it does not pass through the daemon.
 * @returns undefined when the reader's program ended without opening it.
 */
export async function writeFifo(path: string, readerDone: Promise<unknown>): Promise<Writable | undefined> {
  let gone = false;
  readerDone.then(
    () => (gone = true),
    () => (gone = true),
  );
  for (;;) {
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return new Socket({ fd, readable: false, writable: true });
    } catch (error) {
      // ENXIO: nobody has opened the other end yet.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENXIO')) throw error;
      if (gone) return undefined;
      await sleep(3);
    }
  }
}
