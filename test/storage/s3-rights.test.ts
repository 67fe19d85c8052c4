import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteBucketPolicyCommand, GetObjectRetentionCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { checkS3 } from '../../src/adapters/storage/s3/check.ts';
import { openS3Storage } from '../../src/adapters/storage/s3/s3.ts';
import type { StorageFinding } from '../../src/ports.ts';
import { chunksOf, keysIn, noise } from '../tools/bytes.ts';
import { asked, openFaultProxy } from '../tools/fault-proxy.ts';
import { openImds } from '../tools/imds.ts';
import { deny, freshBucket, rgwTls, uploadsIn } from '../tools/s3-server.ts';
import { configOf, openS3, quick, read, sha256, told } from './open-s3.ts';

const key = 'h/s/id/archive.dump';
const big = noise(11 * 1024 * 1024);
const small = noise(3000);
const reading = ['s3:GetObject', 's3:ListBucket', 's3:ListBucketMultipartUploads', 's3:DeleteObject'];
const never = new AbortController().signal;

const states = (findings: readonly StorageFinding[]): Record<string, string> =>
  Object.fromEntries(findings.map(({ id, state }) => [id, state]));

describe('keys that may only write (pitfall 19)', () => {
  it('take backups, of one part and of several, proven by the checksums of the answers', async () => {
    await using opened = await openS3('rgw');
    const { storage, bucket } = opened;
    await deny(bucket, reading);
    expect(await storage.put(key, chunksOf(big))).toEqual({ bytes: big.length, confirmed: true });
    expect(await storage.put('note', chunksOf(small))).toEqual({ bytes: small.length, confirmed: true });
    await storage.sweep('h/');
    expect(await told(storage.readText('note'))).toMatch(
      /Cannot read note.*may not do GetObject \(AccessDenied\)[\s\S]*storage-check offsite/,
    );
    expect(await told(keysIn(storage, ''))).toMatch(/may not do ListBucket/);
    expect(await told(storage.head('note'))).toMatch(/may not do GetObject/);
    expect(await told(storage.delete('note'))).toMatch(/may not do DeleteObject[\s\S]*lifecycle rule/);
    await bucket.client.send(new DeleteBucketPolicyCommand({ Bucket: bucket.name }));
    expect(sha256(await read(storage, key))).toBe(sha256(big));
  });

  it('are told as such by the check, which misses nothing that backups need', async () => {
    await using opened = await openS3('rgw');
    await deny(opened.bucket, reading);
    const findings = await checkS3('offsite', opened.config, opened.bucket.server, never, quick);
    expect(states(findings)).toMatchObject({
      write: 'ok',
      checksums: 'ok',
      read: 'denied',
      list: 'denied',
      multipart: 'ok',
      delete: 'denied',
    });
    expect(findings.filter(({ required, state }) => required && state !== 'ok')).toEqual([]);
  });
});

describe('the check of a storage', () => {
  it('finds all in order on Ceph, and leaves nothing', async () => {
    await using opened = await openS3('rgw');
    const findings = await checkS3('offsite', opened.config, opened.bucket.server, never, quick);
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(findings.map(({ id }) => id)).toEqual([
      'write',
      'checksums',
      'read',
      'list',
      'multipart',
      'abort',
      'part-limit',
      'conditional',
      'versioning',
      'lock',
      'delete',
    ]);
    expect(await keysIn(opened.storage, '')).toEqual([]);
    expect(await uploadsIn(opened.bucket)).toEqual([]);
  });

  it('finds on Swift what Swift can do', async () => {
    await using opened = await openS3('swift');
    const findings = await checkS3('offsite', opened.config, opened.bucket.server, never, quick);
    expect(states(findings)).toMatchObject({ write: 'ok', read: 'ok', list: 'ok', multipart: 'ok', abort: 'ok', delete: 'ok' });
    expect(await keysIn(opened.storage, '')).toEqual([]);
    expect(await uploadsIn(opened.bucket)).toEqual([]);
  });

  it('says that nothing can be deleted', async () => {
    await using opened = await openS3('rgw');
    await deny(opened.bucket, ['s3:DeleteObject']);
    const findings = await checkS3('offsite', opened.config, opened.bucket.server, never, quick);
    expect(findings.filter(({ state }) => state !== 'ok')).toMatchObject([{ id: 'delete', state: 'denied', required: false }]);
  });

  it('misses an object lock that was asked for, and finds one that is there', async () => {
    await using without = await openS3('rgw');
    const missing = await checkS3('offsite', without.config, without.bucket.server, never, quick);
    expect(states(missing)).toMatchObject({ lock: 'ok' });
    await using locked = await openS3('rgw', { bucket: { lock: true } });
    const found = await checkS3('offsite', { ...locked.config, lockDays: 1 }, locked.bucket.server, never, quick);
    expect(found.find(({ id }) => id === 'lock')).toMatchObject({ state: 'ok', required: true, detail: 'on' });
    expect(found.find(({ id }) => id === 'versioning')?.detail).toMatch(/^on/);
  });

  it('is refused with the reason where nothing can be said', async () => {
    await using bucket = await freshBucket('rgw');
    const wrong = { ...bucket.server, secretAccessKey: 'wrong' };
    expect(await told(checkS3('offsite', configOf(bucket), wrong, never, quick))).toMatch(/SignatureDoesNotMatch/);
    expect(await told(checkS3('offsite', configOf(bucket, { bucket: 'nobody-has-this' }), bucket.server, never, quick))).toMatch(
      /does not exist/,
    );
    expect(await told(checkS3('offsite', configOf(bucket), undefined, never, quick))).toMatch(/has no keys yet[\s\S]*storage-auth offsite/);
  });
});

describe('what a storage in S3 is told to do with its objects', () => {
  it('object lock: each is locked as long as was asked, in parts or not, and head tells', async () => {
    await using opened = await openS3('rgw', { bucket: { lock: true }, config: { lockDays: 2 } });
    const { storage, bucket } = opened;
    for (const [name, bytes] of [
      [key, big],
      ['note', small],
    ] as const) {
      await storage.put(name, chunksOf(bytes));
      const { Retention } = await bucket.client.send(new GetObjectRetentionCommand({ Bucket: bucket.name, Key: `p/${name}` }));
      expect(Retention?.Mode).toBe('GOVERNANCE');
      const until = (await storage.head(name))?.lockedUntil?.getTime() ?? 0;
      expect(Math.abs(until - Date.now() - 2 * 86_400_000)).toBeLessThan(120_000);
    }
  });

  it('storage class, type of the content, and no more metadata than our own', async () => {
    await using opened = await openS3('rgw', { config: { storageClass: 'STANDARD_IA' } });
    const { storage, bucket } = opened;
    await storage.put(key, chunksOf(big));
    await storage.put('h/s/id/manifest.json', chunksOf(small));
    const head = async (name: string) => bucket.client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: `p/${name}` }));
    expect(await head(key)).toMatchObject({ StorageClass: 'STANDARD_IA', ContentType: 'application/octet-stream' });
    const manifest = await head('h/s/id/manifest.json');
    expect(manifest).toMatchObject({ StorageClass: 'STANDARD_IA', ContentType: 'application/json' });
    expect(Object.keys(manifest.Metadata ?? {}).toSorted()).toEqual(['pgbackup-sha256', 'pgbackup-upload']);
  });

  it('a class or a KMS key that is not there is named', async () => {
    await using opened = await openS3('rgw', { config: { storageClass: 'COLD' } });
    expect(await told(opened.storage.put('k', chunksOf(small)))).toMatch(/does not know what it was asked for[\s\S]*storage class/);
  });

  it('encryption by the server with a KMS key: readable, and proven or to be read back', async () => {
    await using opened = await openS3('rgw', { config: { sse: 'aws:kms', kmsKeyId: 'testkey-1' } });
    const { storage, bucket } = opened;
    for (const [name, bytes] of [
      [key, big],
      ['note', small],
    ] as const) {
      await storage.put(name, chunksOf(bytes));
      expect(sha256(await read(storage, name))).toBe(sha256(bytes));
      expect(await bucket.client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: `p/${name}` }))).toMatchObject({
        ServerSideEncryption: 'aws:kms',
      });
    }
  });
});

describe('where the keys come from', () => {
  it("the role of an EC2 instance (IMDSv2), asked once, and never root's environment", async () => {
    await using bucket = await freshBucket('rgw');
    await using metadata = await openImds(bucket.server);
    process.env['AWS_ACCESS_KEY_ID'] = 'roots-own';
    process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = 'http://127.0.0.1:9';
    const storage = openS3Storage('offsite', configOf(bucket, { auth: { kind: 'iam' } }), undefined, {
      ...quick,
      metadataEndpoint: metadata.url,
    });
    await storage.put('note', chunksOf(small));
    await storage.put('note', chunksOf(small));
    expect(metadata.given).toBe(1);
    expect(process.env['AWS_ACCESS_KEY_ID']).toBeUndefined();
    await storage.close();
  });

  it('a role whose keys the storage calls expired is asked for new ones, in the middle of an upload', async () => {
    await using bucket = await freshBucket('rgw');
    await using metadata = await openImds(bucket.server);
    await using proxy = await openFaultProxy(bucket.server.endpoint);
    proxy.add(asked.part(2), { kind: 'status', status: 400, code: 'ExpiredToken' });
    const config = configOf(bucket, { auth: { kind: 'iam' }, endpoint: proxy.url });
    const storage = openS3Storage('offsite', config, undefined, { ...quick, metadataEndpoint: metadata.url });
    expect(await storage.put(key, chunksOf(big))).toMatchObject({ bytes: big.length });
    expect(metadata.given).toBe(2);
    await storage.close();
  });

  it('no role: said so, with what to look at', async () => {
    await using bucket = await freshBucket('rgw');
    await using metadata = await openImds(undefined);
    const storage = openS3Storage('offsite', configOf(bucket, { auth: { kind: 'iam' } }), undefined, {
      ...quick,
      metadataEndpoint: metadata.url,
    });
    expect(await told(storage.readText('note'))).toMatch(/metadata service gives no keys of an IAM role/);
  });

  it('a profile of a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pgbackup-profile-'));
    const file = join(folder, 'credentials');
    try {
      await using bucket = await freshBucket('rgw');
      writeFileSync(
        file,
        `[default]\naws_access_key_id = x\naws_secret_access_key = y\n[backup]\naws_access_key_id = ${bucket.server.accessKeyId}\naws_secret_access_key = ${bucket.server.secretAccessKey}\n`,
      );
      const storage = openS3Storage('offsite', configOf(bucket, { auth: { kind: 'profile', name: 'backup', file } }), undefined, quick);
      await storage.put('note', chunksOf(small));
      const wrong = openS3Storage('offsite', configOf(bucket, { auth: { kind: 'profile', name: 'nobody', file } }), undefined, quick);
      expect(await told(wrong.readText('note'))).toMatch(/profile nobody in .* gives no keys/);
      await storage.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('TLS', () => {
  it('is spoken with a certificate of an authority that was named, and with no other', async () => {
    await using bucket = await freshBucket('rgw');
    const { endpoint, ca } = rgwTls();
    const storage = openS3Storage('offsite', configOf(bucket, { endpoint, caFile: ca }), bucket.server, quick);
    expect(await storage.put(key, chunksOf(big))).toEqual({ bytes: big.length, confirmed: true });
    expect(sha256(await read(storage, key))).toBe(sha256(big));
    const untrusting = openS3Storage('offsite', configOf(bucket, { endpoint }), bucket.server, quick);
    expect(await told(untrusting.readText(key))).toMatch(/certificate of https:\S+ is not trusted.*[\s\S]*--ca-file/);
    const plain = openS3Storage('offsite', configOf(bucket, { endpoint: endpoint.replace('https', 'http') }), bucket.server, quick);
    expect(await told(plain.readText(key))).toMatch(/Cannot read/);
    const secure = openS3Storage(
      'offsite',
      configOf(bucket, { endpoint: bucket.server.endpoint.replace('http', 'https') }),
      bucket.server,
      quick,
    );
    expect(await told(secure.readText(key))).toMatch(/does not speak TLS[\s\S]*http:\/\//);
    await storage.close();
  });
});
