import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Bucket } from './look.ts';
import { etagOf } from './object-headers.ts';
import { CutError, isTransient, LongAnswerError, MismatchError, S3Error, StallError } from './s3-error.ts';
import { type Answer, readAll } from './transport.ts';

/** Bytes that may wait for whoever reads. */
const readAhead = 1024 * 1024;

/**
 * The bytes of an object. A connection that is cut or stalls is taken up again where it broke, by a range of the same
 * ETag: the SDK never does that.
 * @throws S3Error and what the transport throws, before the first byte; later failures come through the stream.
 */
export async function download(bucket: Bucket, key: string, signal: AbortSignal | undefined): Promise<Readable> {
  const answer = await ask(bucket, key, signal, undefined);
  return Readable.from(bytesOf(bucket, key, signal, answer), { objectMode: false, highWaterMark: readAhead });
}

/** The whole of an object; undefined: it has more than `limit` bytes. @throws S3Error and what the transport throws. */
export async function downloadWhole(bucket: Bucket, key: string, limit: number): Promise<Buffer | undefined> {
  return bucket.client.whole({ operation: 'GetObject', method: 'GET', key }, async (request) => {
    const answer = await bucket.client.once(request);
    if (Number(answer.headers['content-length']) > limit) {
      answer.body.destroy();
      return undefined;
    }
    const bytes = await readAll(answer, limit).catch(unlessLong);
    if (!bytes) return undefined;
    const expected = answer.headers['x-amz-meta-pgbackup-sha256'];
    if (typeof expected === 'string' && createHash('sha256').update(bytes).digest('hex') !== expected) throw changed();
    return bytes;
  });
}

/** An answer that did not say how long it is. */
function unlessLong(error: unknown): undefined {
  if (!(error instanceof LongAnswerError)) throw error;
}

async function ask(
  bucket: Bucket,
  key: string,
  signal: AbortSignal | undefined,
  from: { readonly at: number; readonly etag: string } | undefined,
): Promise<Answer> {
  const headers = from ? { range: `bytes=${from.at}-`, 'if-match': `"${from.etag}"` } : {};
  const answer = await bucket.client.open({ operation: 'GetObject', method: 'GET', key, headers, signal });
  answer.unwatch();
  return answer;
}

async function* bytesOf(bucket: Bucket, key: string, signal: AbortSignal | undefined, first: Answer): AsyncGenerator<Uint8Array> {
  const size = Number(first.headers['content-length']);
  const etag = etagOf(first.headers.etag);
  const sha256 = first.headers['x-amz-meta-pgbackup-sha256'];
  const hash = typeof sha256 === 'string' ? createHash('sha256') : undefined;
  const { attempts } = bucket.settled.retry;
  let answer: Answer | undefined = first;
  let done = 0;
  let fruitless = 0;
  try {
    for (;;) {
      try {
        answer ??= await resumed(bucket, key, signal, done, etag);
        for await (const chunk of chunksOf(answer, bucket.settled.timeouts.stall)) {
          done += chunk.length;
          fruitless = 0;
          hash?.update(chunk);
          yield chunk;
        }
        if (done === size || (Number.isNaN(size) && answer.body.complete)) break;
        throw new CutError(`the answer ended after ${done} of ${size} bytes`);
      } catch (error) {
        answer?.body.destroy();
        answer = undefined;
        signal?.throwIfAborted();
        fruitless += 1;
        if (etag === undefined || fruitless >= attempts || !isTransient(error)) throw error;
      }
    }
    if (hash && hash.digest('hex') !== sha256) throw changed();
  } catch (error) {
    throw bucket.explain(error, { verb: 'read', what: key, operation: 'GetObject' });
  } finally {
    answer?.body.destroy();
  }
}

async function resumed(
  bucket: Bucket,
  key: string,
  signal: AbortSignal | undefined,
  at: number,
  etag: string | undefined,
): Promise<Answer> {
  if (etag === undefined) throw new CutError(`the connection was cut after ${at} bytes`);
  const answer = await ask(bucket, key, signal, { at, etag });
  // Whoever ignores the range would send the beginning once more.
  if (answer.status === 206 || at === 0) return answer;
  answer.body.destroy();
  throw new S3Error(
    answer.status,
    answer.headers,
    '<Error><Code>NoRange</Code><Message>the storage cannot continue where a connection was cut</Message></Error>',
  );
}

/** The chunks of an answer. The time that the reader takes does not count as a stall. */
async function* chunksOf(answer: Answer, stall: number): AsyncGenerator<Uint8Array> {
  const chunks = (answer.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => answer.body.destroy(new StallError(`nothing came for ${stall / 1000} s`)), stall);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

function changed(): MismatchError {
  return new MismatchError('the bytes that came have not the SHA-256 that they were put with');
}
