import { describe, expect, it } from 'vitest';
import { encoded, endpointOf, objectPath } from '../../../src/adapters/storage/s3/endpoint.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { parseS3Config, s3Defaults, s3Place, s3Warnings } from '../../../src/domain/s3-config.ts';
import { presetFor, providers } from '../../../src/domain/s3-presets.ts';

const good = { ...s3Defaults, bucket: 'backups', region: 'eu-central-1' };

function refusal(change: object): string {
  try {
    parseS3Config({ ...good, ...change }, 'offsite');
  } catch (error) {
    if (error instanceof PgbackupError && error.code === 'usage') return error.message;
    throw error;
  }
  throw new Error('it should have been refused');
}

describe('the definition of a storage in S3', () => {
  it('is what it was, and holds no secret', () => {
    expect(parseS3Config(JSON.parse(JSON.stringify(good)), 'offsite')).toEqual(good);
    expect(JSON.stringify(good)).not.toMatch(/secret/i);
  });

  it.each<[object, RegExp]>([
    [{ bucket: 'ab' }, /bucket "ab": the name of a bucket holds 3 to 63/],
    [{ bucket: 'a..b' }, /bucket/],
    [{ bucket: '-abc' }, /bucket/],
    [{ bucket: '192.168.1.1' }, /bucket/],
    [{ bucket: 'a/b' }, /bucket/],
    [{ prefix: '/a' }, /prefix/],
    [{ prefix: 'a/' }, /prefix/],
    [{ prefix: 'a//b' }, /prefix/],
    [{ prefix: 'a/../b' }, /prefix "a\/..\/b": a prefix is a relative path/],
    [{ prefix: 'a/./b' }, /prefix/],
    [{ prefix: 'a\nb' }, /prefix/],
    [{ prefix: 'a\\b' }, /prefix/],
    [{ endpoint: 's3.example.com' }, /an endpoint is the URL of a server/],
    [{ endpoint: 'ftp://example.com' }, /endpoint/],
    [{ endpoint: 'https://example.com/path' }, /endpoint/],
    [{ endpoint: 'https://example.com?x' }, /endpoint/],
    [{ endpoint: 'https:example.com' }, /endpoint/],
    [{ endpoint: 'https://exa mple.com' }, /endpoint/],
    [{ endpoint: 'https://example.com:99999' }, /endpoint/],
    [{ endpoint: 'https://1.2.3.4' }, /needs path style/],
    [{ region: 'EU West' }, /the name of a region/],
    [{ storageClass: 'standard' }, /a storage class is a word in capitals/],
    [{ sse: 'yes' }, /AES256 or aws:kms/],
    [{ kmsKeyId: 'k' }, /a KMS key goes with server-side encryption aws:kms/],
    [{ lockDays: 0 }, /from 1 to 36500/],
    [{ lockMode: 'NONE' }, /GOVERNANCE or COMPLIANCE/],
    [{ caFile: 'ca.pem' }, /absolute path/],
    [{ maxParts: 10_001 }, /the limit of parts must be a whole number from 2 to 10000/],
    [{ partSize: 4 }, /size of a part in MiB must be a whole number from 5 to 1024/],
    [{ checksums: 'always' }, /when-required or when-supported/],
    [{ auth: { kind: 'profile', name: 'a b', file: null } }, /the name of a profile/],
    [{ auth: { kind: 'password' } }, /auth/],
  ])('%j is refused in words', (change, message) => {
    expect(refusal(change)).toMatch(message);
  });

  it('a password that somebody wrote into the endpoint does not come back', () => {
    const message = refusal({ endpoint: 'https://AKIA:topsecret@s3.example.com' });
    expect(message).toContain('https://***@s3.example.com');
    expect(message).not.toContain('topsecret');
  });

  it('warns of what is allowed and may not be meant', () => {
    expect(s3Warnings({ ...good, endpoint: 'http://s3.example.com' })).toEqual([expect.stringMatching(/not encrypted/)]);
    expect(s3Warnings({ ...good, endpoint: 'http://127.0.0.1:9000', pathStyle: true })).toEqual([]);
    expect(s3Warnings({ ...good, lockDays: 30, lockMode: 'COMPLIANCE' })).toEqual([expect.stringMatching(/for 30 days/)]);
    expect(s3Warnings({ ...good, bucket: 'a.b.c' })).toEqual([expect.stringMatching(/--path-style/)]);
    expect(s3Warnings(good)).toEqual([]);
  });

  it('says where it is', () => {
    expect(s3Place(good)).toBe('s3://backups');
    expect(s3Place({ ...good, prefix: 'a/b' })).toBe('s3://backups/a/b');
  });
});

describe('a provider', () => {
  it.each(providers)('%s is set up with what its own page says', (provider) => {
    const given = { region: 'eu-central-1', endpoint: 'https://s3.example.com' };
    expect(parseS3Config({ ...presetFor(provider, given), bucket: 'backups' }, 'offsite')).toMatchObject(given);
  });

  it('brings endpoint, region and limits', () => {
    expect(presetFor('scaleway', { region: 'fr-par' })).toMatchObject({ endpoint: 'https://s3.fr-par.scw.cloud', maxParts: 1000 });
    expect(presetFor('b2', { region: 'us-west-004' })).toMatchObject({ endpoint: 'https://s3.us-west-004.backblazeb2.com' });
    expect(presetFor('google', {})).toMatchObject({ endpoint: 'https://storage.googleapis.com', region: 'auto' });
    expect(presetFor('amazon', { region: 'eu-west-1' })).toMatchObject({ endpoint: null, checksums: 'when-supported' });
    expect(presetFor(undefined, { region: 'x', endpoint: 'https://s3.example.com' })).toMatchObject({ endpoint: 'https://s3.example.com' });
  });

  it('says what it needs', () => {
    expect(() => presetFor('scaleway', {})).toThrow('Scaleway Object Storage needs a region');
    expect(() => presetFor('r2', {})).toThrow('Cloudflare R2 needs an endpoint');
    expect(() => presetFor(undefined, { endpoint: 'https://s3.example.com' })).toThrow('needs a region');
  });
});

describe('the address of an object', () => {
  it.each([
    [{ endpoint: null, pathStyle: false }, 'backups.s3.eu-central-1.amazonaws.com', 443, '/k'],
    [{ endpoint: null, pathStyle: true }, 's3.eu-central-1.amazonaws.com', 443, '/backups/k'],
    [{ endpoint: null, pathStyle: false, region: 'cn-north-1' }, 'backups.s3.cn-north-1.amazonaws.com.cn', 443, '/k'],
    [{ endpoint: 'http://127.0.0.1:9000', pathStyle: true }, '127.0.0.1:9000', 9000, '/backups/k'],
    [{ endpoint: 'https://[::1]:9000', pathStyle: true }, '[::1]:9000', 9000, '/backups/k'],
    [{ endpoint: 'https://s3.example.com:443/', pathStyle: false }, 'backups.s3.example.com', 443, '/k'],
  ])('%j', (change, host, port, path) => {
    const endpoint = endpointOf({ ...good, ...change });
    expect(endpoint).toMatchObject({ host, port });
    expect(endpoint.hostname).not.toContain('[');
    expect(objectPath(endpoint, 'k')).toBe(path);
  });

  it('escapes every sign that the signature wants escaped, and no slash', () => {
    const endpoint = endpointOf({ ...good, pathStyle: true });
    expect(objectPath(endpoint, "a b/ü(1)!*'+%2F?#&=~_-.")).toBe('/backups/a%20b/%C3%BC%281%29%21%2A%27%2B%252F%3F%23%26%3D~_-.');
    expect(encoded('a/b')).toBe('a%2Fb');
  });
});
