import { randomBytes } from 'node:crypto';
import type { S3Config } from '../../../domain/s3-config.ts';
import type { StorageFinding } from '../../../ports.ts';
import { openBucket } from './bucket.ts';
import { payloadOf } from './client.ts';
import { openCredentials, type S3Keys } from './credentials.ts';
import { downloadWhole } from './download.ts';
import { Findings, type Found } from './findings.ts';
import { listing } from './listing.ts';
import { type Bucket, look } from './look.ts';
import { objectHeaders } from './object-headers.ts';
import type { S3Options } from './options.ts';
import { deleteObject } from './remove.ts';
import { isDenied, S3Error } from './s3-error.ts';
import { upload } from './upload.ts';
import { abortUpload, uploadsOf } from './uploads.ts';
import { textOf } from './xml.ts';

const mebibyte = 1024 * 1024;

/**
 * Tries out all that backups need of a storage, under a key of its own, and takes it away again.
 * @throws PgbackupError storage, where nothing can be said at all: no answer, wrong keys, no such bucket. The signal's reason.
 */
export async function checkS3(
  name: string,
  config: S3Config,
  keys: S3Keys | undefined,
  signal: AbortSignal,
  options: S3Options = {},
): Promise<readonly StorageFinding[]> {
  const bucket = openBucket(name, config, openCredentials(config.auth, keys, name, options.metadataEndpoint), options);
  try {
    return await new Check(bucket, signal).run();
  } finally {
    bucket.client.close();
  }
}

class Check {
  readonly #bucket: Bucket;
  readonly #locking: Bucket;
  readonly #lockAsked: boolean;
  readonly #signal: AbortSignal;
  readonly #folder: string;
  readonly #findings: Findings;

  constructor(bucket: Bucket, signal: AbortSignal) {
    const { prefix, lockDays } = bucket.config;
    // Whether it can lock is shown by one small object, and for a day: nobody could delete it earlier.
    this.#locking = { ...bucket, config: { ...bucket.config, lockDays: lockDays === null ? null : 1 } };
    this.#bucket = { ...bucket, config: { ...bucket.config, lockDays: null } };
    this.#lockAsked = lockDays !== null;
    this.#findings = new Findings(bucket, signal);
    this.#signal = signal;
    this.#folder = `${prefix === '' ? '' : `${prefix}/`}.pgbackup-check-${randomBytes(6).toString('hex')}/`;
  }

  async run(): Promise<readonly StorageFinding[]> {
    const written = await this.#writes();
    if (written) {
      try {
        await this.#reads();
        await this.#multipart();
        await this.#conditional();
        await this.#settings();
      } finally {
        await this.#deletes();
      }
    }
    return this.#findings.all;
  }

  /** @returns whether there is anything to go on with. */
  async #writes(): Promise<boolean> {
    const key = `${this.#folder}object`;
    const state = await this.#findings.add('write', 'Write an object', true, async () => {
      const { confirmed } = await upload(this.#locking, key, 'the storage', once(Buffer.from(key)), { signal: this.#signal });
      await this.#findings.add('checksums', 'Checksums of the storage itself', false, async () =>
        sumsFound(confirmed, this.#bucket.config),
      );
      return { state: 'ok', detail: 'an object was written, and is as long as it should be' };
    });
    return state === 'ok';
  }

  async #reads(): Promise<void> {
    const key = `${this.#folder}object`;
    await this.#findings.add(
      'read',
      'Read it back',
      false,
      async () => {
        const bytes = await downloadWhole(this.#bucket, key, mebibyte);
        if (bytes?.toString('utf8') !== key) return { state: 'missing', detail: 'other bytes came back than were written' };
        return { state: 'ok', detail: 'the same bytes came back' };
      },
      'GetObject',
      'these keys may only write: backups work, but list, verify, restore and prune need others',
    );
    await this.#findings.add(
      'list',
      'List objects',
      false,
      async () => {
        for await (const listed of listing(this.#bucket, this.#folder)) {
          if (listed.key === key) return { state: 'ok', detail: 'the object is in the listing' };
        }
        return { state: 'missing', detail: 'the object is not in the listing, right after it was written' };
      },
      'ListBucket',
      'these keys may not list: backups work, but nothing can find them again',
    );
  }

  async #multipart(): Promise<void> {
    const key = `${this.#folder}parts`;
    await this.#findings.add(
      'multipart',
      'Uploads in parts',
      true,
      async () => {
        // Two parts, of which the first has the least size that S3 allows.
        const { confirmed } = await upload(
          { ...this.#bucket, config: { ...this.#bucket.config, partSize: 5 } },
          key,
          'the storage',
          repeated(mebibyte, 6),
          { signal: this.#signal },
        );
        const found = await look(this.#bucket, key).catch(() => undefined);
        const length = found && found.size !== 6 * mebibyte ? `, but the object has ${found.size} bytes` : '';
        return {
          state: length === '' ? 'ok' : 'missing',
          detail: `two parts became one object${length}${confirmed ? ', whose checksum is right' : ''}`,
        };
      },
      'PutObject',
    );
    await this.#findings.add(
      'abort',
      'Abort an upload',
      false,
      () => this.#aborts(),
      'AbortMultipartUpload',
      'what a broken upload leaves must be cleaned up by a lifecycle rule',
    );
    await this.#findings.add('part-limit', 'Parts of one upload', false, () => this.#partLimit());
  }

  async #aborts(): Promise<Found> {
    const key = `${this.#folder}aborted`;
    const id = await this.#begin(key);
    await abortUpload(this.#bucket, key, id, this.#signal);
    for await (const open of uploadsOf(this.#bucket, key, this.#signal)) {
      if (open.id === id) return { state: 'missing', detail: 'an upload that was aborted is still there' };
    }
    return { state: 'ok', detail: 'nothing is left of an upload that is aborted' };
  }

  /** A part of the highest number that is configured, which is refused where the provider allows fewer. */
  async #partLimit(): Promise<Found> {
    const { client, config } = this.#bucket;
    const key = `${this.#folder}limit`;
    const id = await this.#begin(key);
    try {
      await client.call({
        operation: 'UploadPart',
        method: 'PUT',
        key,
        query: { partNumber: String(config.maxParts), uploadId: id },
        payload: payloadOf(Buffer.from('x')),
        signal: this.#signal,
      });
      return { state: 'ok', detail: `a part with the number ${config.maxParts} is taken` };
    } catch (error) {
      if (!(error instanceof S3Error) || error.status !== 400) throw error;
      return {
        state: 'missing',
        detail: `a part with the number ${config.maxParts} is refused (${error.message}): set --max-parts, 1000 for instance`,
      };
    } finally {
      await abortUpload(this.#bucket, key, id).catch(() => {});
    }
  }

  /** Only told: no lock of ours depends on it, since on some providers several of those that try at once succeed. */
  async #conditional(): Promise<void> {
    await this.#findings.add(
      'conditional',
      'Conditional writes',
      false,
      async () => {
        const { client, config, settled } = this.#bucket;
        const key = `${this.#folder}object`;
        try {
          await client.call({
            operation: 'PutObject',
            method: 'PUT',
            key,
            headers: { ...objectHeaders(config, key, 'check', settled.now()), 'if-none-match': '*' },
            payload: payloadOf(Buffer.from('x')),
            signal: this.#signal,
          });
          return { state: 'missing', detail: 'If-None-Match is ignored; nothing here needs it' };
        } catch (error) {
          if (error instanceof S3Error && error.status === 412)
            return { state: 'ok', detail: 'an object that is there is not overwritten by If-None-Match' };
          if (error instanceof S3Error && error.status === 501)
            return { state: 'missing', detail: 'the storage has none; nothing here needs them' };
          throw error;
        }
      },
      'PutObject',
    );
  }

  async #settings(): Promise<void> {
    await this.#findings.add(
      'versioning',
      'Versions',
      false,
      async () => {
        const status = textOf(await this.#setting('GetBucketVersioning', 'versioning'), 'Status');
        if (status !== 'Enabled') return { state: 'ok', detail: 'off: what is deleted is gone' };
        return { state: 'ok', detail: 'on: what is deleted takes space until a lifecycle rule removes old versions' };
      },
      'GetBucketVersioning',
    );
    await this.#findings.add(
      'lock',
      'Object lock',
      this.#lockAsked,
      async () => {
        const xml = await this.#setting('GetBucketObjectLockConfiguration', 'object-lock').catch((error: unknown) => {
          if (error instanceof S3Error && (error.status === 404 || error.status === 400 || error.status === 501)) return '';
          throw error;
        });
        const on = textOf(xml, 'ObjectLockEnabled') === 'Enabled';
        const [mode, days, years] = [textOf(xml, 'Mode'), textOf(xml, 'Days'), textOf(xml, 'Years')];
        const byDefault =
          mode === undefined ? '' : `, every object for ${days === undefined ? `${years} years` : `${days} days`} (${mode})`;
        if (on) return { state: 'ok', detail: `on${byDefault}` };
        return { state: this.#lockAsked ? 'missing' : 'ok', detail: 'off: it is turned on when a bucket is created' };
      },
      'GetBucketObjectLockConfiguration',
    );
  }

  /** Deletes all that the check has made, which tells whether that is allowed. */
  async #deletes(): Promise<void> {
    await this.#findings.add(
      'delete',
      'Delete objects',
      false,
      async () => {
        for (const key of ['object', 'parts']) await deleteObject(this.#bucket, this.#folder + key);
        const found = await look(this.#bucket, `${this.#folder}object`).catch((error: unknown) => {
          if (isDenied(error)) return undefined;
          throw error;
        });
        if (found) return { state: 'missing', detail: 'what was deleted is still there' };
        return { state: 'ok', detail: this.#lockAsked ? 'done, though locked versions stay until their time is over' : 'done' };
      },
      'DeleteObject',
      `these keys may not delete: prune cannot work, a lifecycle rule must. Left behind: ${this.#folder}`,
    );
  }

  async #begin(key: string): Promise<string> {
    const { client, config, settled } = this.#bucket;
    const answer = await client.call({
      operation: 'CreateMultipartUpload',
      method: 'POST',
      key,
      query: { uploads: '' },
      headers: objectHeaders(config, key, 'check', settled.now()),
      signal: this.#signal,
    });
    return textOf(answer.body.toString('utf8'), 'UploadId') ?? '';
  }

  async #setting(operation: string, name: string): Promise<string> {
    const answer = await this.#bucket.client.call({ operation, method: 'GET', query: { [name]: '' }, signal: this.#signal });
    return answer.body.toString('utf8');
  }
}

function sumsFound(confirmed: boolean, config: S3Config): Found {
  if (confirmed) return { state: 'ok', detail: 'the sum that the storage keeps is ours: a backup need not be read back to be proven' };
  const why = config.sse === null ? '' : ', as is usual with server-side encryption';
  return { state: 'missing', detail: `the storage shows no sum that can be compared${why}: every backup is read back to be proven` };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* repeated(size: number, times: number): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(size, 'pgbackup');
  for (let at = 0; at < times; at += 1) yield chunk;
}
