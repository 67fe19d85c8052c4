import type { IncomingHttpHeaders } from 'node:http';
import type { S3Config } from '../../../domain/s3-config.ts';
import type { S3Client } from './client.ts';
import { etagOf } from './object-headers.ts';
import type { Settled } from './options.ts';
import { isDenied, isMissingKey, S3Error } from './s3-error.ts';
import type { Failed } from './explain.ts';

/** A bucket, how to reach it, and what to say when that fails. */
export interface Bucket {
  readonly client: S3Client;
  readonly config: S3Config;
  readonly settled: Settled;
  /** The uploads that this process has under way: no sweep takes them. */
  readonly active: Set<string>;
  explain(error: unknown, failed: Failed): unknown;
}

/** What lies under a key. */
export interface Found {
  readonly size: number;
  readonly modified: Date;
  readonly etag: string | undefined;
  /** Of the put that made it. */
  readonly nonce: string | undefined;
  /** Base64, with the number of parts behind a dash where there were parts; only where the storage keeps sums. */
  readonly sum: string | undefined;
  readonly lockedUntil: Date | undefined;
}

/** Locked without an end, until somebody takes a legal hold away. */
const forever = new Date('9999-12-31T00:00:00Z');

/**
 * @returns undefined: there is no such object.
 * @throws S3Error, also for a bucket that is gone: HEAD alone would call its objects missing.
 */
export async function look(
  { client, config }: Bucket,
  key: string,
  options: { readonly signal?: AbortSignal | undefined; readonly attempts?: number } = {},
): Promise<Found | undefined> {
  const headers = config.checksums === 'when-supported' ? { 'x-amz-checksum-mode': 'ENABLED' } : {};
  try {
    const answer = await client.call({ operation: 'HeadObject', method: 'HEAD', key, headers, ...options });
    return foundIn(answer.headers);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    // The answer to HEAD has no body and so no reason; a GET of one byte has.
    try {
      await client.call({ operation: 'GetObject', method: 'GET', key, headers: { range: 'bytes=0-0' }, ...options });
    } catch (reason) {
      if (isMissingKey(reason)) return undefined;
      throw reason;
    }
    throw error;
  }
}

/** As `look`, for after a put: keys that may only write are told apart from an object that is not there. */
export async function lookIfAllowed(bucket: Bucket, key: string, signal?: AbortSignal): Promise<Found | 'denied' | undefined> {
  try {
    return await look(bucket, key, { signal });
  } catch (error) {
    if (isDenied(error)) return 'denied';
    throw error;
  }
}

function foundIn(headers: IncomingHttpHeaders): Found {
  const text = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const until = text('x-amz-object-lock-retain-until-date');
  const held = text('x-amz-object-lock-legal-hold') === 'ON';
  return {
    size: Number(headers['content-length']),
    modified: new Date(headers['last-modified'] ?? 0),
    etag: etagOf(headers.etag),
    nonce: text('x-amz-meta-pgbackup-upload'),
    sum: text('x-amz-checksum-sha256'),
    lockedUntil: held ? forever : until === undefined ? undefined : new Date(until),
  };
}
