/** The S3 servers that test/lab/s3-up starts, and buckets there that are a test's own. */
import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  paginateListObjectsV2,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectLegalHoldCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';

/** `rgw` can nearly all that Amazon can; `swift` is the weak provider: no checksums kept, no lock, no atomic If-None-Match. */
export type Provider = 'rgw' | 'swift';

export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Bucket extends AsyncDisposable {
  readonly name: string;
  readonly server: S3Server;
  /** A plain client of the bucket's owner, for looking behind the back of what is tested. */
  readonly client: S3Client;
}

/** @throws Error that says how to start the servers: no test is skipped for want of one. */
export function s3Server(provider: Provider): S3Server {
  const name = provider === 'rgw' ? 'PGBACKUP_TEST_RGW' : 'PGBACKUP_TEST_SWIFT';
  return { endpoint: setting(name), region: 'us-east-1', accessKeyId: setting(`${name}_KEY`), secretAccessKey: setting(`${name}_SECRET`) };
}

/** RGW through TLS. `ca`: the file with the certificate that it presents, which nobody else has signed. */
export function rgwTls(): S3Server & { readonly ca: string } {
  return { ...s3Server('rgw'), endpoint: setting('PGBACKUP_TEST_RGW_TLS'), ca: setting('PGBACKUP_TEST_RGW_CA') };
}

function setting(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(
    `${name} is not set: this test needs the S3 servers of the lab. Start them and run it with their environment: ` +
      'env $(test/lab/s3-up rgw swift) npx vitest run test/storage',
  );
}

/** A plain client of the SDK; `more` goes over the server's own settings. */
export function s3Client({ endpoint, region, accessKeyId, secretAccessKey }: S3Server, more: S3ClientConfig = {}): S3Client {
  return new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey }, ...more });
}

export interface BucketOptions {
  readonly versioning?: boolean;
  /** Versioning comes with it. */
  readonly lock?: boolean;
}

/**
 * A bucket of its own for a test. It goes with all it holds: versions, uploads, and what is under legal hold or
 * governance lock. (Nobody can end a compliance lock early: such a bucket stays until the lab goes.)
 */
export async function freshBucket(provider: Provider, { versioning = false, lock = false }: BucketOptions = {}): Promise<Bucket> {
  const server = s3Server(provider);
  const client = s3Client(server);
  const name = `pgbt-${randomUUID()}`;
  await client.send(new CreateBucketCommand({ Bucket: name, ...(lock ? { ObjectLockEnabledForBucket: true } : {}) }));
  if (versioning && !lock)
    await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status: 'Enabled' } }));
  return {
    name,
    server,
    client,
    async [Symbol.asyncDispose]() {
      await destroyBucket(client, name, { versions: versioning || lock, lock });
      client.destroy();
    },
  };
}

/** Takes rights from everybody, the bucket's owner too: `s3:DeleteObject`, `s3:ListBucket`… Only RGW can; the bucket goes all the same. */
export async function deny({ client, name }: Bucket, actions: readonly string[]): Promise<void> {
  const Resource = [`arn:aws:s3:::${name}`, `arn:aws:s3:::${name}/*`];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Deny', Principal: '*', Action: actions, Resource }] });
  await client.send(new PutBucketPolicyCommand({ Bucket: name, Policy }));
}

/** Keys of the uploads that were begun and neither completed nor aborted. */
export async function uploadsIn({ client, name }: Bucket): Promise<string[]> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: name }));
  return Uploads.map(({ Key = '' }) => Key);
}

async function destroyBucket(client: S3Client, Bucket: string, { versions, lock }: { versions: boolean; lock: boolean }): Promise<void> {
  try {
    // What was denied is allowed again; Swift knows no policies.
    await client.send(new DeleteBucketPolicyCommand({ Bucket })).catch((error: unknown) => {
      if (!named(error, 'NotImplemented')) throw error;
    });
    await abortUploads(client, Bucket);
    for await (const objects of versions ? versionsIn(client, Bucket) : objectsIn(client, Bucket))
      await Promise.all(objects.map((object) => remove(client, { Bucket, ...object }, lock)));
    await client.send(new DeleteBucketCommand({ Bucket }));
  } catch (error) {
    // A test may have removed it: what it looked at was a bucket that is gone midway.
    if (!named(error, 'NoSuchBucket')) throw error;
  }
}

async function abortUploads(client: S3Client, Bucket: string): Promise<void> {
  for (;;) {
    const { Uploads = [], IsTruncated = false } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    await Promise.all(Uploads.map(({ Key, UploadId }) => client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))));
    if (!IsTruncated) return;
  }
}

interface Object {
  readonly Key: string | undefined;
  readonly VersionId?: string | undefined;
}

const page = 100; // that many are removed at once

async function* objectsIn(client: S3Client, Bucket: string): AsyncGenerator<Object[]> {
  for await (const { Contents = [] } of paginateListObjectsV2({ client, pageSize: page }, { Bucket }))
    yield Contents.map(({ Key }) => ({ Key }));
}

async function* versionsIn(client: S3Client, Bucket: string): AsyncGenerator<Object[]> {
  for (let after: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}; ;) {
    const answer = await client.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: page, ...after }));
    yield [...(answer.Versions ?? []), ...(answer.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (!answer.IsTruncated) return;
    after = { KeyMarker: answer.NextKeyMarker, VersionIdMarker: answer.NextVersionIdMarker };
  }
}

async function remove(client: S3Client, object: Object & { readonly Bucket: string }, lock: boolean): Promise<void> {
  const removal = new DeleteObjectCommand({ ...object, ...(lock ? { BypassGovernanceRetention: true } : {}) });
  try {
    await client.send(removal);
  } catch (error) {
    if (!lock || !named(error, 'AccessDenied')) throw error;
    await client.send(new PutObjectLegalHoldCommand({ ...object, LegalHold: { Status: 'OFF' } }));
    await client.send(removal);
  }
}

function named(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
