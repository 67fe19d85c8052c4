import { randomUUID } from 'node:crypto';
import type { PutOptions, PutResult } from '../../../ports.ts';
import { commit, confirm, type Putting, retract } from './commit.ts';
import { cut, type Part } from './cut.ts';
import type { Bucket } from './look.ts';
import { MultipartUpload, tooManyParts } from './multipart.ts';
import { base64, etagOf, objectHeaders, sumHeaders } from './object-headers.ts';
import { planParts } from './parts.ts';

const mebibyte = 1024 * 1024;

/**
 * Puts a body under a key: in one request what fits into a part, else in parts.
 * @throws PgbackupError storage; what the body throws and the signal's reason unchanged. Then there is nothing of it.
 */
export async function upload(
  bucket: Bucket,
  key: string,
  place: string,
  body: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<PutResult> {
  const { maxParts, partSize } = bucket.config;
  const plan = planParts(options.expectedBytes, { maxParts, partSize: partSize === null ? null : partSize * mebibyte });
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const putting: Putting = { bucket, key, nonce: randomUUID(), signal };
  let parts: MultipartUpload | undefined;
  try {
    for await (const part of cut(body, plan, signal)) {
      if (part.last && part.number === 1) return await putWhole(putting, part);
      if (part.number === maxParts && !part.last) throw tooManyParts(key, place, maxParts, plan.partSize);
      parts ??= await MultipartUpload.begin(putting, stop);
      parts.add(part);
    }
    if (!parts) throw new Error('a body without a last part');
    return await parts.complete();
  } catch (error) {
    // A failed part speaks through the signal, and the one that failed first is the one to tell.
    const cause: unknown = signal.aborted ? signal.reason : error;
    stop.abort(error);
    await parts?.abandon();
    throw cause;
  }
}

async function putWhole(putting: Putting, part: Part): Promise<PutResult> {
  const { bucket, key, nonce, signal } = putting;
  const { client, config, settled } = bucket;
  try {
    const made = await commit(putting, async () => {
      const answer = await client.call({
        operation: 'PutObject',
        method: 'PUT',
        key,
        headers: {
          ...objectHeaders(config, key, nonce, settled.now()),
          ...sumHeaders(config, part.sha256),
          // Known before the first byte is sent, unlike that of an upload in parts: whoever reads it can check it.
          'x-amz-meta-pgbackup-sha256': part.sha256,
        },
        payload: part,
        signal,
        attempts: 1,
      });
      const sum = answer.headers['x-amz-checksum-sha256'];
      return { etag: etagOf(answer.headers.etag), sum: typeof sum === 'string' ? sum : undefined };
    });
    const confirmed = await confirm(putting, part.bytes.length, made, { etag: part.md5, sum: base64(part.sha256) });
    return { bytes: part.bytes.length, confirmed };
  } catch (error) {
    if (signal.aborted) await retract(putting, AbortSignal.timeout(settled.timeouts.cleanUp)).catch(() => {});
    throw bucket.explain(error, { verb: 'write', what: key, operation: 'PutObject', first: true });
  }
}
