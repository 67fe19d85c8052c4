import * as v from 'valibot';
import { PgbackupError } from './errors.ts';

const mebibyte = 1024 * 1024;
/** S3's own limits, which no provider known exceeds; but the largest part is ours: it lies in memory. */
export const s3Limits = { parts: 10_000, minPart: 5 * mebibyte, maxPart: 1024 * mebibyte } as const;

/** What AWS asks of the name of a bucket, and the capitals and underscores of old ones elsewhere. */
const bucketPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/;
const regionPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

function whole(low: number, high: number, what: string): v.GenericSchema<number> {
  const message = `${what} must be a whole number from ${low} to ${high}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(low, message), v.maxValue(high, message));
}

function isPlainAbsolute(path: string): boolean {
  return path.startsWith('/') && !path.split('/').includes('..') && !/\p{Cc}/u.test(path);
}

const filePath = v.pipe(v.string(), v.check(isPlainAbsolute, 'a file must be given by its absolute path, without ".."'));

const auth = v.variant('kind', [
  /** Keys given to pgbackup:storage-auth, kept apart from this definition. */
  v.object({ kind: v.literal('keys') }),
  /** The IAM role of the EC2 instance. */
  v.object({ kind: v.literal('iam') }),
  /** A profile of an AWS configuration file; file null: ~/.aws of user dokku. */
  v.object({
    kind: v.literal('profile'),
    name: v.pipe(v.string(), v.regex(/^[\w.@+-]{1,128}$/, 'the name of a profile holds letters, digits and . _ @ + -')),
    file: v.nullable(filePath),
  }),
]);

/** The definition of a storage in a bucket, as it is kept. It holds no secret. */
export const s3ConfigSchema = v.pipe(
  v.object({
    kind: v.literal('s3'),
    bucket: v.pipe(v.string(), v.check(isBucket, 'the name of a bucket holds 3 to 63 letters, digits, dots and dashes')),
    /** No slash at either end; empty: the whole bucket. */
    prefix: v.pipe(v.string(), v.check(isPrefix, 'a prefix is a relative path without "..", "//" and control characters')),
    /** Null: Amazon's own for the region. */
    endpoint: v.nullable(v.pipe(v.string(), v.check(isEndpoint, 'an endpoint is the URL of a server: https://s3.example.com'))),
    region: v.pipe(v.string(), v.regex(regionPattern, 'the name of a region holds small letters, digits and dashes: eu-central-1')),
    /** True: https://endpoint/bucket/key, false: https://bucket.endpoint/key. */
    pathStyle: v.boolean(),
    storageClass: v.nullable(v.pipe(v.string(), v.regex(/^[A-Z0-9_]{1,64}$/, 'a storage class is a word in capitals: STANDARD_IA'))),
    sse: v.nullable(v.picklist(['AES256', 'aws:kms'], 'server-side encryption is AES256 or aws:kms')),
    kmsKeyId: v.nullable(v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,2048}$/, 'a KMS key is named by its id or ARN'))),
    /** Days for which the storage shall refuse to delete what is put there. */
    lockDays: v.nullable(whole(1, 36_500, 'the days of an object lock')),
    lockMode: v.picklist(['GOVERNANCE', 'COMPLIANCE'], 'the mode of an object lock is GOVERNANCE or COMPLIANCE'),
    /** File of PEM certificates to be trusted besides those that Node trusts. */
    caFile: v.nullable(filePath),
    maxParts: whole(2, s3Limits.parts, 'the limit of parts'),
    /** MiB; null: chosen from the expected size. */
    partSize: v.nullable(whole(s3Limits.minPart / mebibyte, s3Limits.maxPart / mebibyte, 'the size of a part in MiB')),
    /** when-supported: also ask the storage to keep SHA-256 sums of its own; not every provider takes them. */
    checksums: v.picklist(['when-required', 'when-supported'], 'checksums are when-required or when-supported'),
    auth,
  }),
  v.check((config) => config.kmsKeyId === null || config.sse === 'aws:kms', 'a KMS key goes with server-side encryption aws:kms'),
  v.check(
    (config) => config.endpoint === null || config.pathStyle || !isAddress(hostOf(config.endpoint)),
    'a server given by its IP address needs path style: a bucket cannot be part of an address',
  ),
);

export type S3Config = v.InferOutput<typeof s3ConfigSchema>;
export type S3Auth = S3Config['auth'];

/** What every definition begins with. */
export const s3Defaults: Omit<S3Config, 'bucket' | 'region'> = {
  kind: 's3',
  prefix: '',
  endpoint: null,
  pathStyle: false,
  storageClass: null,
  sse: null,
  kmsKeyId: null,
  lockDays: null,
  lockMode: 'GOVERNANCE',
  caFile: null,
  maxParts: s3Limits.parts,
  partSize: null,
  checksums: 'when-required',
  auth: { kind: 'keys' },
};

/**
 * A definition as it was written down or is about to be.
 * @throws PgbackupError usage, saying which field and why.
 */
export function parseS3Config(value: unknown, name: string): S3Config {
  const parsed = v.safeParse(s3ConfigSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const field = v.getDotPath(issue);
  const given = typeof issue.input === 'string' && issue.input.length <= 200 ? ` ${JSON.stringify(masked(issue.input))}` : '';
  throw new PgbackupError('usage', `Storage ${name}: ${field === null ? '' : `${field}${given}: `}${issue.message}`, {
    hint: 'See: dokku pgbackup:help storage-create',
  });
}

/** What a person should be told about a definition that is allowed, one sentence each. */
export function s3Warnings(config: S3Config): readonly string[] {
  const warnings: string[] = [];
  if (config.endpoint?.startsWith('http:') && !isLoopback(hostOf(config.endpoint))) {
    warnings.push(`${config.endpoint} is not encrypted: whoever listens on the way reads the backups`);
  }
  if (config.lockDays !== null && config.lockMode === 'COMPLIANCE') {
    warnings.push(`Nobody, not even the owner of the account, can delete a backup for ${config.lockDays} days`);
  }
  if (config.bucket.includes('.') && !config.pathStyle) {
    warnings.push(`The certificate of the server will not fit bucket ${config.bucket}, whose name has dots: use --path-style`);
  }
  return warnings;
}

/** Where a storage is: an address that a key can be put behind. */
export function s3Place(config: Pick<S3Config, 'bucket' | 'prefix'>): string {
  return `s3://${config.bucket}${config.prefix === '' ? '' : `/${config.prefix}`}`;
}

function isBucket(text: string): boolean {
  return bucketPattern.test(text) && !text.includes('..') && !isAddress(text);
}

function isPrefix(text: string): boolean {
  if (text === '') return true;
  if (text.length > 500 || /[\p{Cc}\\]/u.test(text)) return false;
  return text.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function isEndpoint(text: string): boolean {
  // Node's parser forgives what this must not: a tab inside, a missing slash.
  if (!/^https?:\/\/[^\s/?#@\\]+\/?$/.test(text)) return false;
  const url = URL.parse(text);
  return url !== null && url.hostname !== '' && url.username === '' && url.password === '';
}

/** Empty for what is no URL: that is told by another check. */
function hostOf(endpoint: string): string {
  return URL.parse(endpoint)?.hostname ?? '';
}

function isAddress(hostname: string): boolean {
  return /^\d+(?:\.\d+){3}$/.test(hostname) || hostname.startsWith('[');
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
}

/** A URL that somebody wrote with a password in it must not come back in a message. */
function masked(text: string): string {
  return text.replace(/\/\/[^/@\s]*@/, '//***@');
}
