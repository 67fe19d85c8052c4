import { PgbackupError } from '../../../domain/errors.ts';
import { type Bucket, type Found, look, lookIfAllowed } from './look.ts';
import { isAmbiguous } from './s3-error.ts';

/** What the storage says of an object that was just made. */
export interface Committed {
  readonly etag: string | undefined;
  /** See `Found.sum`. */
  readonly sum: string | undefined;
}

/** One put: what it makes is known again by its nonce. */
export interface Putting {
  readonly bucket: Bucket;
  readonly key: string;
  readonly nonce: string;
  readonly signal: AbortSignal;
}

/** Attempts at looking whether an answer that was lost stood for an object: the attempts at the answer go on anyway. */
const lookAttempts = 2;

/**
 * Sends the request that makes an object visible. An answer that is lost says nothing: what lies there then decides,
 * never a guess.
 */
export async function commit(putting: Putting, request: () => Promise<Committed>): Promise<Committed> {
  const { bucket, signal } = putting;
  let doubtful = false;
  try {
    return await bucket.client.retried({ signal }, async () => {
      const there = doubtful ? await ours(putting, signal) : undefined;
      if (there) return there;
      try {
        return await request();
      } catch (error) {
        doubtful ||= isAmbiguous(error);
        throw error;
      }
    });
  } catch (error) {
    const there = doubtful && !signal.aborted ? await ours(putting, signal) : undefined;
    if (there) return there;
    throw error;
  }
}

/** The object, if this put has made it; undefined also where nobody can tell. */
async function ours({ bucket, key, nonce }: Putting, signal: AbortSignal): Promise<Found | undefined> {
  try {
    const found = await look(bucket, key, { signal, attempts: lookAttempts });
    return found?.nonce === nonce ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Takes away what a put has made although it failed: its last request was under way when it was stopped. */
export async function retract(putting: Putting, signal: AbortSignal): Promise<void> {
  if (!(await ours(putting, signal))) return;
  await putting.bucket.client.call({ operation: 'DeleteObject', method: 'DELETE', key: putting.key, signal });
}

/**
 * Looks at what was made. @returns whether the storage's own sums are the given ones: the ETag, which is an MD5 unless
 * the storage encrypts, or the SHA-256 it was asked to keep.
 * @throws PgbackupError storage, where it is not there or not as long as it should be.
 */
export async function confirm(
  putting: Putting,
  bytes: number,
  made: Committed,
  expected: { readonly etag: string; readonly sum: string },
): Promise<boolean> {
  const found = await lookIfAllowed(putting.bucket, putting.key, putting.signal);
  if (found === undefined) throw wrong(putting, 'it is not there, right after it was written');
  if (found !== 'denied' && found.size !== bytes) throw wrong(putting, `it has ${found.size} bytes there instead of ${bytes}`);
  const { etag, sum } = found === 'denied' ? made : { etag: found.etag ?? made.etag, sum: found.sum ?? made.sum };
  return etag === expected.etag || sum === expected.sum;
}

function wrong({ bucket, key }: Putting, what: string): PgbackupError {
  const error = bucket.explain(
    new PgbackupError('storage', `Cannot write ${key}: ${what}`, {
      hint: 'The storage has lost data, if it is one that speaks S3: ask its provider, and check the endpoint',
    }),
    {
      verb: 'write',
      what: key,
      operation: 'HeadObject',
    },
  );
  return error instanceof PgbackupError ? error : new PgbackupError('storage', what);
}
