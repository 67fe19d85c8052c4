import { createHash } from 'node:crypto';
import type { Payload } from './client.ts';

/** One part of a body, in a buffer that must be given back. */
export interface Part extends Payload {
  /** From 1. */
  readonly number: number;
  /** The body ended with it. */
  readonly last: boolean;
  /** Lets the buffer be filled again. */
  release(): void;
}

/**
 * Cuts a body into parts of one size, the last one smaller. No more than `buffers` of them are in use at a time: the
 * next one waits until one is released. Errors of the body come through unchanged.
 * @throws the signal's reason, before the next chunk or buffer.
 */
export async function* cut(
  body: AsyncIterable<Uint8Array>,
  { partSize, buffers }: { readonly partSize: number; readonly buffers: number },
  signal: AbortSignal,
): AsyncGenerator<Part> {
  const pool = new BufferPool(partSize, buffers);
  let number = 0;
  let buffer: Buffer | undefined;
  let filled = 0;
  let [sha256, md5] = [createHash('sha256'), createHash('md5')];

  const part = (last: boolean): Part => {
    const used = buffer ?? Buffer.alloc(0);
    number += 1;
    const made = {
      number,
      last,
      bytes: used.subarray(0, filled),
      sha256: sha256.digest('hex'),
      md5: md5.digest('hex'),
      release: () => pool.release(used),
    };
    [buffer, filled, sha256, md5] = [undefined, 0, createHash('sha256'), createHash('md5')];
    return made;
  };

  signal.throwIfAborted();
  for await (const chunk of body) {
    signal.throwIfAborted();
    for (let at = 0; at < chunk.length;) {
      // A full buffer waits for one byte more: only then is it known not to be the last.
      if (buffer && filled === partSize) yield part(false);
      buffer ??= await pool.acquire(signal);
      const piece = chunk.subarray(at, at + partSize - filled);
      buffer.set(piece, filled);
      sha256.update(piece);
      md5.update(piece);
      filled += piece.length;
      at += piece.length;
    }
  }
  signal.throwIfAborted();
  yield part(true);
}

/** Buffers that are made when they are needed and used again. */
class BufferPool {
  readonly #size: number;
  readonly #free: Buffer[] = [];
  readonly #waiting: ((buffer: Buffer) => void)[] = [];
  #left: number;

  constructor(size: number, count: number) {
    this.#size = size;
    this.#left = count;
  }

  async acquire(signal: AbortSignal): Promise<Buffer> {
    const free = this.#free.pop();
    if (free) return free;
    if (this.#left > 0) {
      this.#left -= 1;
      // Its pages take memory only once they are written to: a manifest does not cost 8 MiB.
      return Buffer.allocUnsafeSlow(this.#size);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const stop = (): void => reject(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', stop, { once: true });
    this.#waiting.push(resolve);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  release(buffer: Buffer): void {
    const next = this.#waiting.shift();
    if (next) next(buffer);
    else if (buffer.length > 0) this.#free.push(buffer);
  }
}
