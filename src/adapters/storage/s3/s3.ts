import type { Readable } from 'node:stream';
import { PgbackupError } from '../../../domain/errors.ts';
import { type S3Config, s3Place } from '../../../domain/s3-config.ts';
import type { ListedKey, PutOptions, PutResult, Storage, StoredObject } from '../../../ports.ts';
import { type CredentialSource, openCredentials, type S3Keys } from './credentials.ts';
import type { Failed } from './explain.ts';
import type { Bucket } from './look.ts';
import type { S3Options } from './options.ts';

/** Bytes of the largest object that is read as a text: a manifest of a hundred thousand tables has a tenth of it. */
const textLimit = 16 * 1024 * 1024;

// Asked for once: `import()` of what is loaded already takes a twentieth of the time of reading a manifest.
const downloading = once(() => import('./download.ts'));

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** A prefix in a bucket of S3 or of anything that speaks its language. */
export class S3Storage implements Storage {
  readonly name: string;
  readonly place: string;
  readonly #prefix: string;
  readonly #open: () => Promise<Bucket>;
  #opened: Promise<Bucket> | undefined;

  constructor(name: string, config: S3Config, credentials: CredentialSource, options: S3Options = {}) {
    this.name = name;
    this.place = s3Place(config);
    this.#prefix = config.prefix === '' ? '' : `${config.prefix}/`;
    // All that talks to a bucket is loaded when it is needed: most commands open a storage and ask it for nothing.
    this.#open = async () => {
      const { openBucket } = await import('./bucket.ts');
      return openBucket(name, config, credentials, options);
    };
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<PutResult> {
    const full = this.#full(key);
    const { upload } = await import('./upload.ts');
    return upload(await this.#reach(), full, this.place, body, options);
  }

  async get(key: string, signal?: AbortSignal): Promise<Readable> {
    return this.#ask({ verb: 'read', what: key, operation: 'GetObject' }, async (bucket) => {
      const { download } = await downloading();
      return download(bucket, this.#full(key), signal);
    });
  }

  async readText(key: string): Promise<string> {
    return this.#ask({ verb: 'read', what: key, operation: 'GetObject' }, async (bucket) => {
      const { downloadWhole } = await downloading();
      const bytes = await downloadWhole(bucket, this.#full(key), textLimit);
      if (bytes) return bytes.toString('utf8');
      throw new PgbackupError('storage', `${key} in ${this.place} has more than ${textLimit} bytes: it is no text of ours`);
    });
  }

  async head(key: string): Promise<StoredObject | undefined> {
    return this.#ask({ verb: 'look at', what: key, operation: 'GetObject' }, async (bucket) => {
      const { look } = await import('./look.ts');
      const found = await look(bucket, this.#full(key));
      const { size, modified, lockedUntil } = found ?? {};
      return size !== undefined && modified ? { key, size, modified, ...(lockedUntil && { lockedUntil }) } : undefined;
    });
  }

  async *list(prefix: string): AsyncIterable<ListedKey> {
    const bucket = await this.#reach();
    try {
      const { listing } = await import('./listing.ts');
      for await (const { key, tag, modified } of listing(bucket, this.#prefix + prefix)) {
        yield { key: key.slice(this.#prefix.length), tag, modified };
      }
    } catch (error) {
      throw bucket.explain(error, { verb: 'list', what: prefix === '' ? undefined : prefix, operation: 'ListBucket' });
    }
  }

  async delete(key: string): Promise<void> {
    await this.#ask({ verb: 'delete', what: key, operation: 'DeleteObject' }, async (bucket) => {
      const { deleteObject } = await import('./remove.ts');
      await deleteObject(bucket, this.#full(key));
    });
  }

  filePath(): undefined {
    return undefined;
  }

  async sweep(prefix: string, olderThan?: Date): Promise<void> {
    await this.#ask({ verb: 'clean up', what: prefix, operation: 'AbortMultipartUpload' }, async (bucket) => {
      const { sweepUploads } = await import('./remove.ts');
      await sweepUploads(bucket, this.#prefix + prefix, olderThan);
    });
  }

  /** Ends the connections that are kept: only for a program that goes on. */
  async close(): Promise<void> {
    if (this.#opened) (await this.#opened).client.close();
  }

  /** @throws PgbackupError storage, when the file of certificates cannot be read. */
  #reach(): Promise<Bucket> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  /** @throws PgbackupError storage, for a key that climbs out: a manifest from elsewhere may hold any text. */
  #full(key: string): string {
    if (key === '' || key.split('/').some((part) => part === '..' || part === '.')) {
      throw new PgbackupError('storage', `"${key}" is no key of an object in ${this.place}`);
    }
    return this.#prefix + key;
  }

  async #ask<T>(failed: Failed, action: (bucket: Bucket) => Promise<T>): Promise<T> {
    const bucket = await this.#reach();
    try {
      return await action(bucket);
    } catch (error) {
      throw bucket.explain(error, failed);
    }
  }
}

/** @param keys see `openCredentials`. It reaches for nothing before its first use. */
export function openS3Storage(name: string, config: S3Config, keys: S3Keys | undefined, options: S3Options = {}): S3Storage {
  return new S3Storage(name, config, openCredentials(config.auth, keys, name, options.metadataEndpoint), options);
}
