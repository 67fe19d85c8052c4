import { describe, expect, it } from 'vitest';
import { explained } from '../../../src/adapters/storage/s3/explain.ts';
import { CutError, isAmbiguous, isTransient, MismatchError, S3Error, StallError } from '../../../src/adapters/storage/s3/s3-error.ts';
import { elements, escaped, textOf } from '../../../src/adapters/storage/s3/xml.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';

const where = { name: 'offsite', place: 's3://b/p', bucket: 'b', endpoint: null, region: 'eu-west-1', caFile: null };
const now = new Date('2026-11-25T12:00:00Z');

const answer = (status: number, code: string, more: { message?: string; headers?: Record<string, string>; inner?: string } = {}): S3Error =>
  new S3Error(status, more.headers ?? {}, `<Error><Code>${code}</Code><Message>${more.message ?? ''}</Message>${more.inner ?? ''}</Error>`);

function told(error: unknown, operation = 'PutObject', about: { caFile?: string } = {}): string {
  const result = explained(error, { verb: 'write', what: 'k', operation }, { ...where, ...about }, now);
  if (!(result instanceof PgbackupError)) throw new Error(`not explained: ${String(result)}`);
  return `${result.code}: ${result.message}\n${result.hint ?? ''}`;
}

const node = (code: string): Error => Object.assign(new Error(`it says ${code}`), { code });

describe('a failure of a storage in S3', () => {
  it.each<[string, unknown, RegExp]>([
    [
      'unknown key',
      answer(403, 'InvalidAccessKeyId'),
      /^storage: Cannot write k in s3:\/\/b\/p: the storage does not know the access key[\s\S]*storage-auth offsite/,
    ],
    ['wrong secret', answer(403, 'SignatureDoesNotMatch'), /secret key does not belong to the access key/],
    ['expired keys', answer(400, 'ExpiredToken'), /no longer valid \(ExpiredToken\)/],
    ['no right', answer(403, 'AccessDenied'), /may not do PutObject \(AccessDenied\)[\s\S]*Allow PutObject on bucket b/],
    ['no bucket', answer(404, 'NoSuchBucket'), /bucket b does not exist/],
    [
      'another region, by its header',
      answer(301, 'PermanentRedirect', { headers: { 'x-amz-bucket-region': 'us-west-2' } }),
      /in region us-west-2, not in eu-west-1[\s\S]*--region us-west-2/,
    ],
    [
      'another region, by its element',
      answer(400, 'AuthorizationHeaderMalformed', { inner: '<Region>us-west-2</Region>' }),
      /in region us-west-2/,
    ],
    ['another server', answer(301, 'PermanentRedirect', { message: 'elsewhere' }), /not served at this address[\s\S]*elsewhere/],
    [
      'a clock ahead',
      answer(403, 'RequestTimeTooSkewed', { headers: { date: 'Wed, 25 Nov 2026 11:13:00 GMT' } }),
      /clock is 47 minutes ahead of the storage's[\s\S]*timedatectl/,
    ],
    [
      'a clock behind',
      answer(403, 'RequestTimeTooSkewed', { headers: { date: 'Wed, 25 Nov 2026 12:20:00 GMT' } }),
      /clock is 20 minutes behind the storage's/,
    ],
    ['quota', answer(403, 'QuotaExceeded'), /quota of the bucket or of the account is used up/],
    ['full', answer(507, 'XMinioStorageFull'), /quota of the bucket/],
    ['overload', answer(503, 'SlowDown'), /overloaded and told us to slow down/],
    ['something else', answer(418, 'Teapot', { message: 'I am one' }), /: I am one \(Teapot\)/],
    ['a page of a proxy', new S3Error(502, {}, '<html>Bad gateway</html>'), /status 502 \(HTTP 502\)/],
    ['no DNS', node('ENOTFOUND'), /Amazon in eu-west-1 is a name that the DNS does not know \(ENOTFOUND\)/],
    ['refused', node('ECONNREFUSED'), /nothing listens at Amazon/],
    ['reset', node('ECONNRESET'), /connection to Amazon in eu-west-1 broke, again and again/],
    ['time-out', new StallError('nothing came or went for 60 s'), /nothing came or went for 60 s \(time-out\)/],
    ['certificate', node('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), /certificate of Amazon in eu-west-1 is not trusted[\s\S]*--ca-file/],
    ['self-signed', node('DEPTH_ZERO_SELF_SIGNED_CERT'), /is not trusted/],
    ['corrupted', new MismatchError('other bytes'), /other bytes/],
  ])('%s', (_, error, message) => {
    expect(told(error)).toMatch(message);
  });

  it('a locked object names the lock', () => {
    expect(told(answer(403, 'AccessDenied'), 'DeleteObject')).toMatch(/may not do DeleteObject[\s\S]*locked/);
  });

  it('a certificate file that was given is doubted', () => {
    expect(told(node('SELF_SIGNED_CERT_IN_CHAIN'), 'PutObject', { caFile: '/etc/ca.pem' })).toMatch(/Is \/etc\/ca.pem the certificate/);
  });

  it('a missing key is not found, and what is no failure of the storage comes through', () => {
    expect(explained(answer(404, 'NoSuchKey'), { verb: 'read', what: 'k', operation: 'GetObject' }, where, now)).toMatchObject({
      code: 'not-found',
    });
    const own = new PgbackupError('verification', 'x');
    const bug = new TypeError('x');
    const stopped = new DOMException('stopped', 'AbortError');
    for (const error of [own, bug, stopped])
      expect(explained(error, { verb: 'read', what: 'k', operation: 'GetObject' }, where, now)).toBe(error);
  });
});

describe('another attempt', () => {
  it.each([
    [answer(500, 'InternalError'), true],
    [answer(503, 'SlowDown'), true],
    [answer(429, 'TooManyRequests'), true],
    [answer(400, 'RequestTimeout'), true],
    [answer(400, 'BadDigest'), true],
    [answer(400, 'XAmzContentSHA256Mismatch'), true],
    [answer(501, 'NotImplemented'), false],
    [answer(507, 'Full'), false],
    [answer(403, 'AccessDenied'), false],
    [answer(404, 'NoSuchKey'), false],
    [answer(400, 'ExpiredToken'), false],
    [node('ECONNRESET'), true],
    [node('EAI_AGAIN'), true],
    [new StallError('x'), true],
    [new CutError('x'), true],
    [node('CERT_HAS_EXPIRED'), false],
    [new TypeError('a bug'), false],
  ])('after %s: %s', (error, worth) => {
    expect(isTransient(error)).toBe(worth);
  });

  it('only what may have reached the storage is in doubt', () => {
    expect([node('ECONNRESET'), new StallError('x'), answer(500, 'InternalError')].every(isAmbiguous)).toBe(true);
    expect([node('ECONNREFUSED'), node('ENOTFOUND'), answer(400, 'BadDigest'), answer(403, 'AccessDenied')].some(isAmbiguous)).toBe(false);
  });

  it('waits as long as it is asked to, up to a minute', () => {
    expect(answer(503, 'SlowDown', { headers: { 'retry-after': '7' } }).retryAfter).toBe(7000);
    expect(answer(503, 'SlowDown', { headers: { 'retry-after': '7200' } }).retryAfter).toBe(60_000);
    expect(answer(503, 'SlowDown', { headers: { 'retry-after': 'Wed, 25 Nov 2026 11:13:00 GMT' } }).retryAfter).toBe(0);
  });
});

describe('the XML of S3', () => {
  it('is read by the names of its elements', () => {
    const xml =
      '<R xmlns="x"><KeyCount>2</KeyCount><Contents><Key>a&amp;b&#x1F418;&#33;</Key><Empty/></Contents><Contents><Key></Key></Contents></R>';
    expect(elements(xml, 'Contents').map((entry) => textOf(entry, 'Key'))).toEqual(['a&b🐘!', '']);
    expect(textOf(xml, 'KeyCount')).toBe('2');
    expect(textOf(xml, 'Empty')).toBe('');
    expect(textOf(xml, 'Nothing')).toBeUndefined();
    expect(textOf('<Key>never closed', 'Key')).toBeUndefined();
  });

  it('is written so that it can be read', () => {
    const text = `"<a href='x'>&amp;`;
    expect(textOf(`<ETag>${escaped(text)}</ETag>`, 'ETag')).toBe(text);
  });
});
