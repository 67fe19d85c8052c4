import { messageOf, PgbackupError } from '../../../domain/errors.ts';
import type { StorageFinding } from '../../../ports.ts';
import type { Failed } from './explain.ts';
import type { Bucket } from './look.ts';
import { isDenied, isMissingKey, S3Error } from './s3-error.ts';

/** What one look at the storage has found. */
export type Found = Pick<StorageFinding, 'state' | 'detail'>;

/** Answers of status 400 that say nothing of one operation, but that the storage cannot be used. */
const ofAll = new Set([
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'IllegalLocationConstraintException',
  'InvalidBucketName',
  'InvalidToken',
  'RequestExpired',
]);

/** The findings of a check, in the order in which they were begun. */
export class Findings {
  readonly all: StorageFinding[] = [];
  readonly #bucket: Bucket;
  readonly #signal: AbortSignal;

  constructor(bucket: Bucket, signal: AbortSignal) {
    this.#bucket = bucket;
    this.#signal = signal;
  }

  /**
   * Adds one. What is not allowed and what the provider does not have are findings, too.
   * @param operation what a policy must allow for it.
   * @param consequence what it means when it is not allowed.
   * @throws PgbackupError storage, where the storage as a whole cannot be used. The signal's reason.
   */
  async add(
    id: string,
    title: string,
    required: boolean,
    action: () => Promise<Found>,
    operation = 'PutObject',
    consequence?: string,
  ): Promise<StorageFinding['state']> {
    this.#signal.throwIfAborted();
    const at = this.all.length;
    const found = await this.#attempt(action, { verb: 'check', what: undefined, operation }, consequence);
    this.all.splice(at, 0, { id, title, ...found, required });
    return found.state;
  }

  async #attempt(action: () => Promise<Found>, failed: Failed, consequence: string | undefined): Promise<Found> {
    try {
      return await action();
    } catch (thrown) {
      this.#signal.throwIfAborted();
      const error = this.#bucket.explain(thrown, failed);
      const cause: unknown = error instanceof PgbackupError && error.cause !== undefined ? error.cause : thrown;
      if (isDenied(cause)) return { state: 'denied', detail: consequence ?? `these keys may not do ${failed.operation}` };
      if (isMissingKey(cause)) return { state: 'missing', detail: 'the object is not there, right after it was written' };
      if (cause instanceof S3Error && [400, 405, 501].includes(cause.status) && !ofAll.has(cause.code)) {
        return { state: 'missing', detail: messageOf(cause) };
      }
      throw error;
    }
  }
}
