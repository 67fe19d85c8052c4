/** Storages of our adapter in fresh buckets of the lab's servers. */
import { createHash } from 'node:crypto';
import type { S3Keys } from '../../src/adapters/storage/s3/credentials.ts';
import type { S3Options } from '../../src/adapters/storage/s3/options.ts';
import { openS3Storage, type S3Storage } from '../../src/adapters/storage/s3/s3.ts';
import { parseS3Config, type S3Config, s3Defaults } from '../../src/domain/s3-config.ts';
import { PgbackupError } from '../../src/domain/errors.ts';
import type { Storage } from '../../src/ports.ts';
import { failure } from '../tools/bytes.ts';
import { type Bucket, type BucketOptions, freshBucket, type Provider } from '../tools/s3-server.ts';

/** A fault is over soon, and an answer of a busy server is still in time. */
export const quick: S3Options = {
  retry: { attempts: 4, partAttempts: 4, base: 5, cap: 20 },
  timeouts: { connect: 2000, stall: 2000, complete: 3000, cleanUp: 10_000, proceed: 300 },
};

export interface OpenS3 {
  readonly bucket?: BucketOptions;
  readonly config?: Partial<S3Config>;
  readonly keys?: S3Keys | undefined;
  readonly options?: S3Options;
}

export interface OpenedS3 extends AsyncDisposable {
  readonly storage: S3Storage;
  readonly bucket: Bucket;
  readonly config: S3Config;
}

/** A storage in a bucket of its own, which goes with it. */
export async function openS3(provider: Provider, opening: OpenS3 = {}): Promise<OpenedS3> {
  const bucket = await freshBucket(provider, opening.bucket);
  const config = configOf(bucket, opening.config);
  const storage = openS3Storage('offsite', config, 'keys' in opening ? opening.keys : bucket.server, opening.options ?? quick);
  return {
    storage,
    bucket,
    config,
    async [Symbol.asyncDispose]() {
      await storage.close();
      await bucket[Symbol.asyncDispose]();
    },
  };
}

/** The definition of a storage in that bucket. */
export function configOf({ name, server }: Bucket, more: Partial<S3Config> = {}): S3Config {
  return parseS3Config(
    { ...s3Defaults, bucket: name, endpoint: server.endpoint, region: server.region, pathStyle: true, prefix: 'p', ...more },
    'offsite',
  );
}

/** SHA-256 in hex. */
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The whole of an object. */
export async function read(storage: Storage, key: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await storage.get(key)) as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Message and hint of a failure that is one of the storage. */
export async function told(work: Promise<unknown>): Promise<string> {
  const error = await failure(work);
  if (!(error instanceof PgbackupError) || error.code !== 'storage') throw error;
  return `${error.message}\n${error.hint ?? ''}`;
}
