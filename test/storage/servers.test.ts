import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failure, noise } from '../tools/bytes.ts';
import { asked, openFaultProxy, type Fault, type FaultProxy, type Match } from '../tools/fault-proxy.ts';
import { deny, freshBucket, rgwTls, s3Client, s3Server, uploadsIn, type Bucket } from '../tools/s3-server.ts';

const MB = 1_048_576;

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function put(client: S3Client, Bucket: string, Key: string, Body: Uint8Array | string): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket, Key, Body }));
}

async function get(client: S3Client, Bucket: string, Key: string): Promise<Uint8Array> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return (await Body?.transformToByteArray()) ?? new Uint8Array();
}

async function keys(client: S3Client, Bucket: string): Promise<(string | undefined)[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key }) => Key);
}

async function putInParts(client: S3Client, Bucket: string, Key: string, bytes: Uint8Array, partSize: number): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  try {
    const Parts: CompletedPart[] = [];
    for (let at = 0; at < bytes.length; at += partSize) {
      const PartNumber = Parts.length + 1;
      const Body = bytes.subarray(at, at + partSize);
      const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag });
    }
    await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    throw error;
  }
}

describe.each(['rgw', 'swift'] as const)('%s', (provider) => {
  test('keeps what it is given, whole and in parts, and lists it', async () => {
    await using bucket = await freshBucket(provider);
    const { client, name } = bucket;
    const bytes = noise(12 * MB);
    await put(client, name, 'whole', bytes);
    await putInParts(client, name, 'in/parts', bytes, 5 * MB);
    expect(await keys(client, name)).toEqual(['in/parts', 'whole']);
    expect(digest(await get(client, name, 'whole'))).toBe(digest(bytes));
    expect(digest(await get(client, name, 'in/parts'))).toBe(digest(bytes));
    expect(await uploadsIn(bucket)).toEqual([]);
  });

  test('a bucket goes with its versions and the uploads that were begun', async () => {
    const name = await withBucket(provider, { versioning: true }, async (bucket) => {
      await put(bucket.client, bucket.name, 'a', 'one');
      await put(bucket.client, bucket.name, 'a', 'two');
      await bucket.client.send(new CreateMultipartUploadCommand({ Bucket: bucket.name, Key: 'begun' }));
      expect(await uploadsIn(bucket)).toEqual(['begun']);
    });
    expect(await buckets(provider)).not.toContain(name);
  });
});

async function withBucket(provider: 'rgw' | 'swift', options: object, work: (bucket: Bucket) => Promise<void>): Promise<string> {
  await using bucket = await freshBucket(provider, options);
  await work(bucket);
  return bucket.name;
}

async function buckets(provider: 'rgw' | 'swift'): Promise<(string | undefined)[]> {
  const { Buckets = [] } = await s3Client(s3Server(provider)).send(new ListBucketsCommand({}));
  return Buckets.map(({ Name }) => Name);
}

describe('rgw alone', () => {
  test('a bucket goes with what is under governance lock and legal hold', async () => {
    const name = await withBucket('rgw', { lock: true }, async ({ client, name: Bucket }) => {
      const ObjectLockRetainUntilDate = new Date(Date.now() + 86_400_000);
      await client.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'x', ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate }));
      await client.send(new PutObjectCommand({ Bucket, Key: 'held', Body: 'x', ObjectLockLegalHoldStatus: 'ON' }));
    });
    expect(await buckets('rgw')).not.toContain(name);
  });

  test('speaks TLS with a certificate of its own', async () => {
    await using bucket = await freshBucket('rgw');
    const { ca, ...server } = rgwTls();
    const trusting = s3Client(server, { requestHandler: new NodeHttpHandler({ httpsAgent: { ca: readFileSync(ca) } }) });
    await put(trusting, bucket.name, 'a', 'x');
    expect(await keys(trusting, bucket.name)).toEqual(['a']);
    expect(String(await failure(keys(s3Client(server, { maxAttempts: 1 }), bucket.name)))).toMatch(/self-signed certificate/);
  });

  test('encrypts at rest with a key of its own, and has a second storage class', async () => {
    await using bucket = await freshBucket('rgw');
    const { client, name: Bucket } = bucket;
    await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ServerSideEncryption: 'AES256', StorageClass: 'STANDARD_IA' }));
    const { Body, ServerSideEncryption, StorageClass } = await client.send(new GetObjectCommand({ Bucket, Key: 'a' }));
    expect([await Body?.transformToString(), ServerSideEncryption, StorageClass]).toEqual(['x', 'AES256', 'STANDARD_IA']);
  });

  test('can deny the owner of a bucket what a key may not do', async () => {
    await using bucket = await freshBucket('rgw');
    await deny(bucket, ['s3:DeleteObject', 's3:GetObject', 's3:ListBucket']);
    await put(bucket.client, bucket.name, 'a', 'x');
    expect(await failure(get(bucket.client, bucket.name, 'a'))).toMatchObject({ name: 'AccessDenied' });
    expect(await failure(keys(bucket.client, bucket.name))).toMatchObject({ name: 'AccessDenied' });
  });
});

describe('the fault proxy before rgw', () => {
  let bucket: Bucket;
  let proxy: FaultProxy;
  let client: S3Client;
  const bytes = noise(6 * MB);

  beforeEach(async () => {
    bucket = await freshBucket('rgw');
    proxy = await openFaultProxy(bucket.server.endpoint);
    client = s3Client({ ...bucket.server, endpoint: proxy.url }, { maxAttempts: 1 });
  });

  afterEach(async () => {
    client.destroy();
    await proxy[Symbol.asyncDispose]();
    await bucket[Symbol.asyncDispose]();
  });

  test('passes on what it has no rule for', async () => {
    await put(client, bucket.name, 'a', bytes);
    expect(digest(await get(client, bucket.name, 'a'))).toBe(digest(bytes));
    expect(proxy.seen.map(({ method, fault }) => [method, fault])).toEqual([
      ['PUT', undefined],
      ['GET', undefined],
    ]);
  });

  const failing: readonly [string, Match, Fault, object][] = [
    ['a status', asked.put, { kind: 'status', status: 503, code: 'SlowDown' }, { name: 'SlowDown' }],
    [
      'a status before the body is read',
      asked.put,
      { kind: 'status', status: 403, code: 'AccessDenied', early: true },
      { name: 'AccessDenied' },
    ],
    ['a reset', asked.put, { kind: 'reset' }, { code: 'ECONNRESET' }],
    ['a hang', asked.put, { kind: 'hang' }, { name: 'TimeoutError' }],
    ['a reset in the middle of the request', asked.put, { kind: 'cut', way: 'request', after: MB, by: 'reset' }, { code: 'ECONNRESET' }],
    ['a request that is not read to its end', asked.put, { kind: 'cut', way: 'request', after: MB, by: 'stall' }, { name: 'TimeoutError' }],
    ['a corrupted request', asked.put, { kind: 'corrupt', way: 'request', at: 1000 }, { name: 'XAmzContentSHA256Mismatch' }],
    ['a reset in the middle of the response', asked.get, { kind: 'cut', way: 'response', after: MB, by: 'reset' }, { code: 'ECONNRESET' }],
    ['an early end of the response', asked.get, { kind: 'cut', way: 'response', after: MB, by: 'end' }, { message: 'aborted' }],
    ['a response that falls silent', asked.get, { kind: 'cut', way: 'response', after: MB, by: 'stall' }, { message: 'silence' }],
    [
      'a corrupted response',
      asked.get,
      { kind: 'corrupt', way: 'response', at: 1000 },
      { message: expect.stringMatching(/^Checksum mismatch/) },
    ],
  ];

  test.each(failing)('injects %s, once', async (_, match, fault, expected) => {
    await put(bucket.client, bucket.name, 'a', bytes);
    const rule = proxy.add(match, fault);
    const work = (by: S3Client): Promise<unknown> => (match === asked.put ? put(by, bucket.name, 'a', bytes) : get(by, bucket.name, 'a'));
    const silent = fault.kind === 'hang' || (fault.kind === 'cut' && fault.by === 'stall');
    expect(await failure(silent ? Promise.race([work(hasty()), silence()]) : work(client))).toMatchObject(expected);
    expect(rule.hits).toBe(1);
    await work(client);
    expect(rule.hits).toBe(1);
  });

  /** Gives up on a request without an answer. What is silent in the middle of an answer it waits for without end. */
  const hasty = (): S3Client => {
    const requestHandler = new NodeHttpHandler({ requestTimeout: 1000, throwOnRequestTimeout: true });
    return s3Client({ ...bucket.server, endpoint: proxy.url }, { maxAttempts: 1, requestHandler });
  };

  async function silence(): Promise<never> {
    await sleep(2000);
    throw new Error('silence');
  }

  test('loses the answer to what the server did', async () => {
    const reset = proxy.add(asked.put, { kind: 'lost-answer' });
    expect(await failure(put(client, bucket.name, 'a', 'x'))).toMatchObject({ code: 'ECONNRESET' });
    const replaced = proxy.add(asked.put, { kind: 'lost-answer', status: 500 });
    expect(await failure(put(client, bucket.name, 'b', 'x'))).toMatchObject({ name: 'InternalError' });
    expect([reset.hits, replaced.hits]).toEqual([1, 1]);
    expect(await keys(bucket.client, bucket.name)).toEqual(['a', 'b']);
  });

  test('answers 200 with an error to the completion of an upload', async () => {
    const rule = proxy.add(asked.complete, { kind: 'error-in-200' });
    expect(await failure(putInParts(client, bucket.name, 'a', bytes, 5 * MB))).toMatchObject({ name: 'InternalError' });
    expect(rule.hits).toBe(1);
    expect(await keys(bucket.client, bucket.name)).toEqual([]);
    expect(await uploadsIn(bucket)).toEqual([]);
  });

  test('strikes one part, after those that are spared, as often as asked', async () => {
    const rule = proxy.add(asked.part(2), { kind: 'status', status: 500 }, { skip: 1, times: 2 });
    const upload = (): Promise<void> => putInParts(client, bucket.name, 'a', bytes, 5 * MB);
    await upload();
    await failure(upload());
    await failure(upload());
    await upload();
    expect(rule.hits).toBe(2);
    expect(proxy.seen.filter(({ fault }) => fault === 'status').map(({ url }) => /partNumber=\d+/.exec(url)?.[0])).toEqual([
      'partNumber=2',
      'partNumber=2',
    ]);
  });

  test.each([
    ['delays', asked.list, { kind: 'delay', milliseconds: 400 }],
    ['throttles a request', asked.put, { kind: 'throttle', way: 'request', bytesPerSecond: 12 * MB }],
    ['throttles a response', asked.get, { kind: 'throttle', way: 'response', bytesPerSecond: 12 * MB }],
  ] as const)('%s', async (_, match, fault) => {
    const rule = proxy.add(match, fault);
    const began = performance.now();
    if (match === asked.list) await keys(client, bucket.name);
    else {
      await put(client, bucket.name, 'a', bytes);
      expect(digest(await get(client, bucket.name, 'a'))).toBe(digest(bytes));
    }
    expect(performance.now() - began).toBeGreaterThan(390);
    expect(rule.hits).toBe(1);
  });
});
