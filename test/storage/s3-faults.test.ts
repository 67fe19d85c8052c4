import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { S3Options } from '../../src/adapters/storage/s3/options.ts';
import { openS3Storage, type S3Storage } from '../../src/adapters/storage/s3/s3.ts';
import type { S3Config } from '../../src/domain/s3-config.ts';
import type { PutResult } from '../../src/ports.ts';
import { chunksOf, failure, keysIn, noise } from '../tools/bytes.ts';
import { asked, type Fault, type FaultProxy, type Match, openFaultProxy, type Times } from '../tools/fault-proxy.ts';
import { type Bucket, freshBucket, uploadsIn } from '../tools/s3-server.ts';
import { configOf, quick, read, sha256, told } from './open-s3.ts';

const key = 'h/s/id/archive.dump';
/** Five parts, the last one of 1 byte. */
const big = noise(4 * 5 * 1024 * 1024 + 1);
const small = noise(100_000);
const always = { times: 1000 };

describe('a storage in S3 that fails', () => {
  let bucket: Bucket;
  let proxy: FaultProxy;
  let storage: S3Storage;
  /** Not through the proxy. */
  let direct: S3Storage;

  const open = (config: Partial<S3Config> = {}, options: S3Options = quick, keys = bucket.server): S3Storage =>
    openS3Storage('offsite', configOf(bucket, { partSize: 5, endpoint: proxy.url, ...config }), keys, options);

  beforeEach(async () => {
    bucket = await freshBucket('rgw');
    proxy = await openFaultProxy(bucket.server.endpoint);
    storage = open();
    direct = open({ endpoint: bucket.server.endpoint });
  });

  afterEach(async () => {
    await storage.close();
    await direct.close();
    await proxy[Symbol.asyncDispose]();
    await bucket[Symbol.asyncDispose]();
  });

  const put = (body: Uint8Array = big): Promise<PutResult> => storage.put(key, chunksOf(body));

  async function expectWhole(body: Uint8Array = big): Promise<void> {
    expect(await keysIn(direct, '')).toEqual([key]);
    expect(sha256(await read(direct, key))).toBe(sha256(body));
    expect(await uploadsIn(bucket)).toEqual([]);
  }

  async function expectNothing(): Promise<void> {
    expect(await keysIn(direct, '')).toEqual([]);
    expect(await uploadsIn(bucket)).toEqual([]);
  }

  describe('for a moment: the upload goes on, and what is there is whole', () => {
    it.each<[string, Match, Fault, Times?]>([
      ['a reset at part 2', asked.part(2), { kind: 'reset' }],
      ['a reset in the middle of part 3', asked.part(3), { kind: 'cut', way: 'request', after: 1_000_000, by: 'reset' }],
      ['500 at part 1', asked.part(1), { kind: 'status', status: 500 }],
      ['500 at the last part', asked.part(5), { kind: 'status', status: 500 }],
      ['503 SlowDown twice', asked.anyPart, { kind: 'status', status: 503, code: 'SlowDown' }, { times: 2 }],
      ['503 SlowDown before the body was read', asked.part(2), { kind: 'status', status: 503, code: 'SlowDown', early: true }],
      ['a part that hangs', asked.part(2), { kind: 'hang' }],
      ['a part that stalls midway', asked.part(4), { kind: 'cut', way: 'request', after: 1_000_000, by: 'stall' }],
      ['a part that is corrupted on the way', asked.part(1), { kind: 'corrupt', way: 'request', at: 1000 }],
      ['400 RequestTimeout', asked.part(2), { kind: 'status', status: 400, code: 'RequestTimeout' }],
      ['the lost answer to a part', asked.part(2), { kind: 'lost-answer' }],
      ['the lost answer to the beginning', asked.createUpload, { kind: 'lost-answer' }],
      ['500 at the beginning', asked.createUpload, { kind: 'status', status: 500 }],
      ['the lost answer to the completion', asked.complete, { kind: 'lost-answer' }],
      ['the completion answered with 500 although it was done', asked.complete, { kind: 'lost-answer', status: 500 }],
      ['a completion that fails with status 200', asked.complete, { kind: 'error-in-200' }],
      ['a completion that hangs', asked.complete, { kind: 'hang' }],
      ['500 at the look at what was made', asked.head, { kind: 'status', status: 500 }],
    ])('%s', async (_, match, fault, times) => {
      const rule = proxy.add(match, fault, times);
      expect(await put()).toEqual({ bytes: big.length, confirmed: true });
      expect(rule.hits).toBeGreaterThan(0);
      await expectWhole();
    });

    it.each<[string, Match, Fault]>([
      ['a reset', asked.put, { kind: 'reset' }],
      ['500', asked.put, { kind: 'status', status: 500 }],
      ['a hang', asked.put, { kind: 'hang' }],
      ['a lost answer', asked.put, { kind: 'lost-answer' }],
      ['a corrupted body', asked.put, { kind: 'corrupt', way: 'request', at: 1000 }],
    ])('a small object: %s', async (_, match, fault) => {
      const rule = proxy.add(match, fault);
      expect(await put(small)).toEqual({ bytes: small.length, confirmed: true });
      expect(rule.hits).toBe(1);
      await expectWhole(small);
    });

    it('an object whose answer was lost is not written a second time: it is looked for', async () => {
      proxy.add(asked.put, { kind: 'lost-answer' });
      await put(small);
      expect(proxy.seen.filter(({ method }) => method === 'PUT')).toHaveLength(1);
    });
  });

  describe('for good: the message names it, and nothing is left', () => {
    it.each<[string, Match, Fault, RegExp]>([
      ['resets', asked.part(2), { kind: 'reset' }, /the connection to http:\S+ broke.*ECONNRESET/],
      ['500', asked.part(2), { kind: 'status', status: 500 }, /InternalError/],
      ['SlowDown', asked.anyPart, { kind: 'status', status: 503, code: 'SlowDown' }, /overloaded.*SlowDown/],
      ['a hang', asked.part(2), { kind: 'hang' }, /nothing came or went.*time-out/],
      ['corrupted parts', asked.part(1), { kind: 'corrupt', way: 'request', at: 1000 }, /not what was sent/],
      [
        'expired keys',
        asked.part(3),
        { kind: 'status', status: 400, code: 'ExpiredToken' },
        /no longer valid \(ExpiredToken\)[\s\S]*storage-auth offsite/,
      ],
      [
        'unknown keys',
        asked.createUpload,
        { kind: 'status', status: 403, code: 'InvalidAccessKeyId' },
        /does not know the access key[\s\S]*storage-auth/,
      ],
      ['no right', asked.createUpload, { kind: 'status', status: 403, code: 'AccessDenied' }, /may not do CreateMultipartUpload/],
      ['no right to a part', asked.part(2), { kind: 'status', status: 403, code: 'AccessDenied' }, /may not do UploadPart/],
      ['a quota', asked.part(4), { kind: 'status', status: 403, code: 'QuotaExceeded' }, /quota[\s\S]*used up/],
      ['a bucket that is gone', asked.part(2), { kind: 'status', status: 404, code: 'NoSuchBucket' }, /bucket pgbt-\S+ does not exist/],
      [
        'an upload that somebody aborted',
        asked.part(2),
        { kind: 'status', status: 404, code: 'NoSuchUpload' },
        /ended by somebody else[\s\S]*lifecycle/,
      ],
      [
        'the wrong region',
        asked.createUpload,
        { kind: 'status', status: 301, code: 'PermanentRedirect', headers: { 'x-amz-bucket-region': 'eu-west-9' } },
        /in region eu-west-9, not in us-east-1[\s\S]*--region eu-west-9/,
      ],
      ['a completion that is refused', asked.complete, { kind: 'status', status: 400, code: 'InvalidPart' }, /InvalidPart/],
    ])('%s', async (_, match, fault, message) => {
      const rule = proxy.add(match, fault, always);
      expect(await told(put())).toMatch(message);
      expect(rule.hits).toBeGreaterThan(0);
      await expectNothing();
    });

    it('the storage and the key are in the message, no secret is', async () => {
      proxy.add(asked.anyPart, { kind: 'status', status: 403, code: 'SignatureDoesNotMatch' }, always);
      const error = await failure(put());
      expect(error).toMatchObject({
        code: 'storage',
        message: `Cannot write ${key} in s3://${bucket.name}/p: the secret key does not belong to the access key (SignatureDoesNotMatch)`,
      });
      expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain(bucket.server.secretAccessKey);
    });

    it('answers to the completion that are all lost, and no looking either: it is not called a backup', async () => {
      proxy.add(asked.complete, { kind: 'status', status: 500 }, always);
      expect(await told(put())).toMatch(/InternalError/);
      await expectNothing();
    });

    it('an abort that fails once is tried again', async () => {
      proxy.add(asked.part(3), { kind: 'status', status: 403, code: 'AccessDenied' }, always);
      const rule = proxy.add(asked.abort, { kind: 'reset' });
      await told(put());
      expect(rule.hits).toBe(1);
      await expectNothing();
    });

    it('what an abort could not clean up is swept later', async () => {
      proxy.add(asked.part(3), { kind: 'status', status: 403, code: 'AccessDenied' }, always);
      proxy.add(asked.abort, { kind: 'status', status: 500 }, always);
      await told(put());
      expect(await uploadsIn(bucket)).toEqual([`p/${key}`]);
      await direct.sweep('other/');
      expect(await uploadsIn(bucket)).toEqual([`p/${key}`]);
      // Begun just now, it is none of those that are an hour old.
      await direct.sweep('h/', new Date(Date.now() - 3_600_000));
      expect(await uploadsIn(bucket)).toEqual([`p/${key}`]);
      await direct.sweep('h/', new Date(Date.now() + 3_600_000));
      await expectNothing();
    });

    it('a sweep leaves alone what this process has under way', async () => {
      async function* body(): AsyncGenerator<Uint8Array> {
        yield* chunksOf(big);
        await storage.sweep('h/');
        yield Buffer.from('more');
      }
      await storage.put(key, body());
      await expectWhole(Buffer.concat([big, Buffer.from('more')]));
    });

    it('the second of two puts does not find the first one replaced by half of it', async () => {
      await direct.put(key, chunksOf(small));
      proxy.add(asked.part(4), { kind: 'status', status: 500 }, always);
      await told(put());
      await expectWhole(small);
    });

    it('a server that is not there, a name that nobody knows', async () => {
      expect(await told(open({ endpoint: 'http://127.0.0.1:9' }).readText('k'))).toMatch(
        /nothing listens at http:\/\/127.0.0.1:9 \(ECONNREFUSED\)/,
      );
      expect(await told(open({ endpoint: 'http://no-such-host.invalid' }).readText('k'))).toMatch(
        /no-such-host.invalid is a name that the DNS does not know/,
      );
    });

    it('a clock that is wrong, by how much', async () => {
      const late = open({}, { ...quick, clock: { now: () => new Date(Date.now() - 47 * 60_000) } });
      expect(await told(late.put(key, chunksOf(small)))).toMatch(
        /clock is 47 minutes behind the storage's \(RequestTimeTooSkewed\)[\s\S]*timedatectl/,
      );
      await expectNothing();
    });

    it('wrong keys, as the server itself refuses them', async () => {
      const unknown = open({}, quick, { ...bucket.server, accessKeyId: 'nobody' });
      expect(await told(unknown.put(key, chunksOf(small)))).toMatch(/does not know the access key/);
      const forged = open({}, quick, { ...bucket.server, secretAccessKey: 'wrong' });
      expect(await told(forged.put(key, chunksOf(big)))).toMatch(/secret key does not belong/);
      await expectNothing();
    });
  });

  describe('while it is read', () => {
    beforeEach(async () => {
      await direct.put(key, chunksOf(big));
    });

    it.each<[string, Fault, number]>([
      ['reset midway', { kind: 'cut', way: 'response', after: 3_000_000, by: 'reset' }, 1],
      ['ended midway', { kind: 'cut', way: 'response', after: 3_000_000, by: 'end' }, 1],
      ['stalled midway', { kind: 'cut', way: 'response', after: 3_000_000, by: 'stall' }, 1],
      // More often than there are attempts: each that brings something is a new beginning.
      ['reset again and again', { kind: 'cut', way: 'response', after: 3_000_000, by: 'reset' }, 6],
    ])('a download is taken up where it was cut: %s', async (_, fault, times) => {
      const rule = proxy.add(asked.get, fault, { times });
      expect(sha256(await read(storage, key))).toBe(sha256(big));
      expect(rule.hits).toBe(times);
    });

    it('a download that is cut for good ends with an error, never early', async () => {
      proxy.add(asked.get, { kind: 'cut', way: 'response', after: 1000, by: 'reset' });
      proxy.add(asked.get, { kind: 'reset' }, always);
      expect(await told(read(storage, key))).toMatch(/Cannot read h\/s\/id\/archive.dump.*connection to \S+ broke/);
    });

    it('an object that was replaced meanwhile is not sewn together', async () => {
      proxy.add(asked.get, { kind: 'cut', way: 'response', after: 3_000_000, by: 'reset' });
      const stream = await storage.get(key);
      await direct.put(key, chunksOf(noise(big.length).reverse()));
      const chunks = (async () => {
        for await (const chunk of stream) void chunk;
      })();
      expect(await told(chunks)).toMatch(/PreconditionFailed/);
    });

    it('a small object that is corrupted on the way is noticed and fetched again', async () => {
      await direct.put('note', chunksOf(Buffer.from('the true text')));
      const rule = proxy.add(asked.get, { kind: 'corrupt', way: 'response', at: 3 });
      expect(await storage.readText('note')).toBe('the true text');
      expect(rule.hits).toBe(1);
      proxy.add(asked.get, { kind: 'corrupt', way: 'response', at: 3 }, always);
      expect(await told(storage.readText('note'))).toMatch(/not the SHA-256 that they were put with/);
      expect(await told(read(storage, 'note'))).toMatch(/not the SHA-256/);
    });

    it('a text of more than 16 MiB is refused', async () => {
      expect(await told(storage.readText(key))).toMatch(/more than 16777216 bytes/);
    });

    it('a signal ends a download', async () => {
      const stop = new AbortController();
      const stream = await storage.get(key, stop.signal);
      const reading = (async () => {
        for await (const chunk of stream) if (chunk) stop.abort(new Error('enough'));
      })();
      expect(await failure(reading)).toBe(stop.signal.reason);
    });

    it('an object is not called missing when its bucket is', async () => {
      proxy.add(asked.head, { kind: 'status', status: 404 }, always);
      proxy.add(asked.get, { kind: 'status', status: 404, code: 'NoSuchBucket' }, always);
      expect(await told(storage.head(key))).toMatch(/bucket \S+ does not exist/);
    });

    it('a listing and a deletion go on after a moment', async () => {
      proxy.add(asked.list, { kind: 'reset' });
      proxy.add(asked.remove, { kind: 'status', status: 503, code: 'SlowDown' });
      expect(await keysIn(storage, '')).toEqual([key]);
      await storage.delete(key);
      await expectNothing();
    });
  });

  describe('by what it was told', () => {
    it('a signal after the object was made but before anybody knows leaves nothing', async () => {
      const stop = new AbortController();
      proxy.add(asked.complete, { kind: 'lost-answer' });
      proxy.add(asked.head, { kind: 'hang' });
      const stopped = failure(storage.put(key, chunksOf(big), { signal: stop.signal }));
      await expect.poll(() => proxy.seen.some(({ method }) => method === 'HEAD'), { timeout: 10_000 }).toBe(true);
      expect(await keysIn(direct, '')).toEqual([key]);
      stop.abort();
      expect(await stopped).toBe(stop.signal.reason);
      await expectNothing();
    });

    it('more than was expected fails before the part limit, with what to set (pitfalls 13 and 14)', async () => {
      storage = open({ maxParts: 3 });
      expect(await told(storage.put(key, chunksOf(big), { expectedBytes: 10 }))).toMatch(
        /larger than the 3 parts of 5 MiB[\s\S]*--part-size 20/,
      );
      expect(proxy.seen.some(({ url }) => url.includes('partNumber=3&'))).toBe(false);
      await expectNothing();
    });
  });
});
