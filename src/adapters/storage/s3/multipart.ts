import { createHash } from 'node:crypto';
import { PgbackupError } from '../../../domain/errors.ts';
import { payloadOf } from './client.ts';
import { commit, type Committed, confirm, type Putting, retract } from './commit.ts';
import type { Part } from './cut.ts';
import type { Bucket } from './look.ts';
import { base64, etagOf, objectHeaders, sumHeaders } from './object-headers.ts';
import { isAmbiguous, S3Error } from './s3-error.ts';
import { escaped, textOf } from './xml.ts';
import { abortUpload, uploadsOf } from './uploads.ts';

interface SentPart {
  readonly etag: string;
  readonly sha256: string;
  readonly md5: string;
  readonly bytes: number;
}

/** An upload in parts, from its beginning to the object or to nothing. */
export class MultipartUpload {
  readonly #putting: Putting;
  readonly #id: string;
  /** Stops everything else once one part has failed for good. */
  readonly #stop: AbortController;
  readonly #sent: SentPart[] = [];
  readonly #flights = new Set<Promise<void>>();
  /** The answer to the first request was lost, which may have begun an upload that nobody knows. */
  readonly #twins: boolean;
  #committing = false;

  private constructor(putting: Putting, id: string, stop: AbortController, twins: boolean) {
    this.#putting = putting;
    this.#id = id;
    this.#stop = stop;
    this.#twins = twins;
  }

  static async begin(putting: Putting, stop: AbortController): Promise<MultipartUpload> {
    const { bucket, key, nonce, signal } = putting;
    const { config, settled } = bucket;
    let doubtful = false;
    try {
      const answer = await bucket.client.call({
        operation: 'CreateMultipartUpload',
        method: 'POST',
        key,
        query: { uploads: '' },
        headers: {
          ...objectHeaders(config, key, nonce, settled.now()),
          ...(config.checksums === 'when-supported' && { 'x-amz-checksum-algorithm': 'SHA256' }),
        },
        signal,
        onRetry: (error) => {
          doubtful ||= isAmbiguous(error);
        },
      });
      const id = textOf(answer.body.toString('utf8'), 'UploadId');
      if (id === undefined || id === '')
        throw new S3Error(502, answer.headers, '<Error><Message>the storage began an upload and gave it no id</Message></Error>');
      bucket.active.add(id);
      return new MultipartUpload(putting, id, stop, doubtful);
    } catch (error) {
      if (doubtful || isAmbiguous(error) || signal.aborted) await abandonTwins(bucket, key, undefined);
      throw bucket.explain(error, { verb: 'write', what: key, operation: 'CreateMultipartUpload', first: !doubtful });
    }
  }

  /** Sends a part, beside the others. A failure stops the upload: the signal fires with it. */
  add(part: Part): void {
    const flight = this.#send(part)
      .catch((error: unknown) => this.#stop.abort(error))
      .finally(() => {
        part.release();
        this.#flights.delete(flight);
      });
    this.#flights.add(flight);
  }

  /** Makes the parts one object. */
  async complete(): Promise<{ readonly bytes: number; readonly confirmed: boolean }> {
    await Promise.all(this.#flights);
    const { bucket, key, signal } = this.#putting;
    signal.throwIfAborted();
    this.#committing = true;
    const sent = this.#sent;
    const bytes = sent.reduce((sum, part) => sum + part.bytes, 0);
    try {
      const made = await commit(this.#putting, () => this.#join());
      bucket.active.delete(this.#id);
      const confirmed = await confirm(this.#putting, bytes, made, {
        etag: composite(
          'md5',
          sent.map((part) => part.md5),
          'hex',
        ),
        sum: composite(
          'sha256',
          sent.map((part) => part.sha256),
          'base64',
        ),
      });
      if (this.#twins) await abandonTwins(bucket, key, this.#id);
      return { bytes, confirmed };
    } catch (error) {
      throw bucket.explain(error, { verb: 'write', what: key, operation: 'CompleteMultipartUpload' });
    }
  }

  /** Leaves nothing of the upload, as far as the storage lets itself be asked. Never throws. */
  async abandon(): Promise<void> {
    const { bucket, key } = this.#putting;
    await Promise.all(this.#flights);
    const signal = AbortSignal.timeout(bucket.settled.timeouts.cleanUp);
    try {
      await abortUpload(bucket, key, this.#id, signal);
      // A part that was on its way may have come in behind the first request: AWS advises to make sure.
      await abortUpload(bucket, key, this.#id, signal);
      if (this.#committing) await retract(this.#putting, signal);
    } catch {
      // The next sweep finds it.
    }
    bucket.active.delete(this.#id);
    if (this.#twins) await abandonTwins(bucket, key, undefined);
  }

  async #send(part: Part): Promise<void> {
    const { bucket, key, signal } = this.#putting;
    try {
      const answer = await bucket.client.call({
        operation: 'UploadPart',
        method: 'PUT',
        key,
        query: { partNumber: String(part.number), uploadId: this.#id },
        headers: sumHeaders(bucket.config, part.sha256),
        payload: part,
        signal,
        attempts: bucket.settled.retry.partAttempts,
      });
      const etag = answer.headers.etag;
      if (etag === undefined)
        throw new S3Error(502, answer.headers, '<Error><Message>the storage took a part and gave it no ETag</Message></Error>');
      this.#sent[part.number - 1] = { etag, sha256: part.sha256, md5: part.md5, bytes: part.bytes.length };
    } catch (error) {
      throw bucket.explain(error, { verb: 'write', what: key, operation: 'UploadPart' });
    }
  }

  async #join(): Promise<Committed> {
    const { bucket, key, signal } = this.#putting;
    const sums = bucket.config.checksums === 'when-supported';
    const parts = this.#sent.map(
      ({ etag, sha256 }, index) =>
        `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(etag)}</ETag>${sums ? `<ChecksumSHA256>${base64(sha256)}</ChecksumSHA256>` : ''}</Part>`,
    );
    const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`;
    const answer = await bucket.client.call({
      operation: 'CompleteMultipartUpload',
      method: 'POST',
      key,
      query: { uploadId: this.#id },
      headers: { 'content-type': 'application/xml' },
      payload: payloadOf(Buffer.from(body)),
      signal,
      stall: bucket.settled.timeouts.complete,
      attempts: 1,
    });
    const xml = answer.body.toString('utf8');
    // Joining takes so long that S3 says 200 before it knows, and an error afterwards.
    if (xml.includes('<Error>')) throw new S3Error(500, answer.headers, xml);
    return { etag: etagOf(textOf(xml, 'ETag')), sum: textOf(xml, 'ChecksumSHA256') };
  }
}

/** Aborts uploads of the key that nobody knows the id of. Never throws. */
async function abandonTwins(bucket: Bucket, key: string, own: string | undefined): Promise<void> {
  const signal = AbortSignal.timeout(bucket.settled.timeouts.cleanUp);
  try {
    for await (const upload of uploadsOf(bucket, key, signal)) {
      if (upload.key === key && upload.id !== own) await abortUpload(bucket, key, upload.id, signal);
    }
  } catch {
    // The next sweep finds them.
  }
}

/** The sum of the sums, as S3 writes it. */
function composite(algorithm: 'md5' | 'sha256', sums: readonly string[], encoding: 'hex' | 'base64'): string {
  const hash = createHash(algorithm);
  for (const sum of sums) hash.update(sum, 'hex');
  return `${hash.digest(encoding)}-${sums.length}`;
}

/** More came than was expected, and the provider takes no more parts. */
export function tooManyParts(key: string, place: string, maxParts: number, partSize: number): PgbackupError {
  const mebibytes = partSize / (1024 * 1024);
  return new PgbackupError(
    'storage',
    `Cannot write ${key} in ${place}: it is larger than the ${maxParts} parts of ${mebibytes} MiB that were planned for it, and the storage takes no more parts`,
    { hint: `Give the storage larger parts: --part-size ${Math.min(1024, Math.ceil(mebibytes * 4))} (MiB)` },
  );
}
