import { messageOf, PgbackupError } from '../../../domain/errors.ts';
import { codeOf, isMissingKey, LongAnswerError, S3Error, SlowError, StallError, StrangeAnswerError } from './s3-error.ts';

/** What is known about a request that failed. */
export interface Failed {
  /** `write`, `read`, `list`, `delete`, `look at` */
  readonly verb: string;
  /** Key of the object, or what a person calls it; undefined: the storage as a whole. */
  readonly what: string | undefined;
  /** S3's name of the operation: what a policy must allow. */
  readonly operation: string;
  /** It was the first request of a put: once that is turned away there is nothing of it. */
  readonly first?: boolean;
}

/** Where it failed. */
export interface Where {
  /** The storage's name. */
  readonly name: string;
  readonly place: string;
  readonly bucket: string;
  readonly endpoint: string | null;
  readonly region: string;
  readonly caFile: string | null;
}

interface Explanation {
  readonly why: string;
  readonly hint?: string;
}

/**
 * Any failure of a request as the one error class: what, where, why, and what to do. What is one already, or is no
 * failure of the storage, comes through unchanged.
 * @param now for telling how far off a clock is.
 */
export function explained(error: unknown, failed: Failed, where: Where, now: Date): unknown {
  if (error instanceof PgbackupError) return error;
  if (isMissingKey(error)) {
    return new PgbackupError('not-found', `There is no ${failed.what ?? 'such object'} in ${where.place}`, { cause: error });
  }
  const explanation = error instanceof S3Error ? ofAnswer(error, failed, where, now) : ofConnection(error, where);
  if (!explanation) return error;
  const what = failed.what === undefined ? where.place : `${failed.what} in ${where.place}`;
  return new PgbackupError('storage', `Cannot ${failed.verb} ${what}: ${explanation.why}`, {
    cause: error,
    ...(explanation.hint !== undefined && { hint: explanation.hint }),
    turnedAway: failed.first === true && error instanceof S3Error && error.status >= 300 && error.status < 500,
  });
}

function ofAnswer(error: S3Error, failed: Failed, where: Where, now: Date): Explanation {
  const newKeys = `Give it the right ones: printf 'KEY\\nSECRET\\n' | dokku pgbackup:storage-auth ${where.name}`;
  switch (error.code) {
    case 'InvalidAccessKeyId':
      return { why: 'the storage does not know the access key (InvalidAccessKeyId)', hint: newKeys };
    case 'SignatureDoesNotMatch':
      return { why: 'the secret key does not belong to the access key (SignatureDoesNotMatch)', hint: newKeys };
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'TokenRefreshRequired':
    case 'InvalidToken':
      return { why: `the keys are no longer valid (${error.code})`, hint: newKeys };
    case 'AccessDenied':
    case 'HTTP 403':
    case 'AllAccessDisabled':
    case 'AccountProblem':
      return {
        why: `these keys may not do ${failed.operation} (${error.code})`,
        hint: denied(failed, where),
      };
    case 'NoSuchBucket':
      return {
        why: `bucket ${where.bucket} does not exist (NoSuchBucket)`,
        hint: 'Create it with your provider, or name another one with pgbackup:storage-create',
      };
    case 'PermanentRedirect':
    case 'TemporaryRedirect':
    case 'Redirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return wrongRegion(error, where);
    case 'RequestTimeTooSkewed':
    case 'RequestExpired':
      return {
        why: `${clocks(error.date, now)} (${error.code})`,
        hint: "Set this host's clock: timedatectl set-ntp true",
      };
    case 'QuotaExceeded':
    case 'ServiceQuotaExceeded':
    case 'StorageQuotaExceeded':
    case 'XMinioStorageFull':
    case 'XMinioAdminBucketQuotaExceeded':
    case 'HTTP 507':
      return {
        why: `the quota of the bucket or of the account is used up (${error.code})`,
        hint: 'Delete backups there, or have the quota raised',
      };
    case 'EntityTooLarge':
      return { why: `the object is larger than the storage takes, or than the quota leaves (${error.code})` };
    case 'SlowDown':
    case 'Throttling':
    case 'TooManyRequests':
    case 'HTTP 429':
    case 'ServiceUnavailable':
    case 'HTTP 503':
      return { why: `the storage is overloaded and told us to slow down, again and again (${error.code})`, hint: 'Try again later' };
    case 'InvalidStorageClass':
    case 'InvalidArgument':
    case 'NotImplemented':
      return {
        why: `the storage does not know what it was asked for: ${named(error)}`,
        hint: 'Does your provider have the storage class, the encryption, the object lock and the checksums that the storage was created with?',
      };
    case 'InvalidObjectState':
      return { why: 'the object lies in an archive class from which it must first be brought back (InvalidObjectState)' };
    case 'BadDigest':
    case 'XAmzContentSHA256Mismatch':
      return {
        why: `what arrived was not what was sent, again and again (${error.code})`,
        hint: 'Something between this host and the storage changes the bytes: a proxy, a network card, bad memory',
      };
    case 'NoSuchUpload':
      return {
        why: 'the upload was ended by somebody else (NoSuchUpload)',
        hint: 'Does a lifecycle rule of the bucket abort uploads too early?',
      };
    default:
      // S3 gives every error a name.
      return error.code.startsWith('HTTP 4') || error.code === 'HTTP 501'
        ? { why: `what answers does not seem to speak S3: ${named(error)}`, hint: stranger(where) }
        : { why: named(error) };
  }
}

function stranger(where: Where): string {
  return `Is ${serverOf(where)} a storage that speaks S3, or does something stand before it? Check the endpoint, its port too`;
}

function serverOf(where: Where): string {
  return where.endpoint ?? `Amazon in ${where.region}`;
}

function named({ message, code }: S3Error): string {
  return message.includes(code) ? message : `${message} (${code})`;
}

function denied(failed: Failed, where: Where): string {
  if (failed.operation === 'DeleteObject')
    return 'Allow it in the policy of the keys, or leave deleting to a lifecycle rule; the object may also be locked';
  return `Allow ${failed.operation} on bucket ${where.bucket} in the policy of the keys. What they may: dokku pgbackup:storage-check ${where.name}`;
}

function wrongRegion(error: S3Error, where: Where): Explanation {
  if (error.region !== undefined && error.region !== where.region) {
    return {
      why: `the bucket is in region ${error.region}, not in ${where.region} (${error.code})`,
      hint: `Set it up anew: dokku pgbackup:storage-create ${where.name} s3 … --region ${error.region} --replace`,
    };
  }
  return {
    why: `the bucket is not served at this address (${error.code}): ${error.message}`,
    hint: 'Look up region and endpoint of the bucket with your provider',
  };
}

function clocks(theirs: Date | undefined, now: Date): string {
  if (theirs === undefined || Number.isNaN(theirs.getTime())) return "this host's clock is not that of the storage";
  const seconds = Math.round((now.getTime() - theirs.getTime()) / 1000);
  const minutes = Math.round(Math.abs(seconds) / 60);
  const off = minutes >= 2 ? `${minutes} minutes` : `${Math.abs(seconds)} s`;
  return `this host's clock is ${off} ${seconds < 0 ? 'behind' : 'ahead of'} the storage's`;
}

function ofConnection(error: unknown, where: Where): Explanation | undefined {
  const server = serverOf(where);
  const code = codeOf(error);
  if (error instanceof StallError) {
    return { why: `${error.message} (time-out)`, hint: `Does ${server} answer? A firewall that swallows packets looks like this` };
  }
  if (error instanceof SlowError) {
    return { why: `${error.message} (time-out)`, hint: `Is ${server}, or the network to it, slow or overloaded? Try again later` };
  }
  if (error instanceof LongAnswerError) return { why: `${error.message}: no storage answers so`, hint: stranger(where) };
  if (error instanceof StrangeAnswerError) return { why: `what answers does not speak S3: ${error.message}`, hint: stranger(where) };
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return {
        why: `${server} is a name that the DNS does not know (${code})`,
        hint: "Check the endpoint, the region and this host's DNS; some providers need --path-style",
      };
    case 'ECONNREFUSED':
      return { why: `nothing listens at ${server} (ECONNREFUSED)`, hint: 'Check address and port of the endpoint' };
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return { why: `${server} cannot be reached (${code})`, hint: 'Check the network between this host and the storage' };
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
    case 'ERR_SOCKET_CLOSED':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return {
        why: `the connection to ${server} broke, again and again (${code})`,
        hint: 'Check the network between this host and the storage, and proxies on the way',
      };
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return { why: `${server} does not speak TLS (${code})`, hint: 'Is it http:// and not https://?' };
    case 'HPE_INVALID_CONSTANT':
      return { why: `${server} does not speak HTTP`, hint: 'Is it https:// and not http://?' };
    case 'EMISMATCH':
      return { why: messageOf(error), hint: 'Something between this host and the storage changes the bytes, or they have rotted there' };
    default:
      break;
  }
  if (/^(?:CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|HOSTNAME_MISMATCH|ERR_SSL)/.test(code)) {
    return {
      why: `the certificate of ${server} is not trusted: ${messageOf(error).split(';')[0]} (${code})`,
      hint:
        where.caFile === null
          ? 'Give the certificate of its authority: --ca-file <file>'
          : `Is ${where.caFile} the certificate of its authority?`,
    };
  }
  return undefined;
}
