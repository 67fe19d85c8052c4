import type { IncomingHttpHeaders } from 'node:http';
import { textOf } from './xml.ts';

/** What a storage answered instead of doing what it was asked. */
export class S3Error extends Error {
  override readonly name = 'S3Error';
  /** S3's word for it, `HTTP 502` where there was none. */
  readonly code: string;
  readonly status: number;
  /** The region that the bucket is in, where the answer tells. */
  readonly region: string | undefined;
  /** The clock of the storage. */
  readonly date: Date | undefined;
  /** Milliseconds that the storage asks us to wait. */
  readonly retryAfter: number;

  constructor(status: number, headers: IncomingHttpHeaders, body: string) {
    const code = textOf(body, 'Code');
    const request = textOf(body, 'RequestId') ?? headers['x-amz-request-id'];
    super(textOf(body, 'Message') || code || `status ${status}${typeof request === 'string' ? `, request ${request}` : ''}`);
    this.code = code || (status === 301 ? 'PermanentRedirect' : `HTTP ${status}`);
    this.status = status;
    const region = headers['x-amz-bucket-region'];
    this.region = textOf(body, 'Region') ?? (typeof region === 'string' ? region : undefined);
    this.date = headers.date === undefined ? undefined : new Date(headers.date);
    this.retryAfter = Math.min(Number(headers['retry-after']) || 0, 60) * 1000;
  }
}

/** A connection on which nothing came or went for too long. */
export class StallError extends Error {
  override readonly name = 'StallError';
  readonly code = 'ETIMEDOUT';
}

/** An answer that comes, but too slowly. */
export class SlowError extends Error {
  override readonly name = 'SlowError';
  readonly code = 'ETIMEDOUT';

  /** @param milliseconds that it had. */
  constructor(milliseconds: number) {
    super(`the answer did not come whole within ${milliseconds / 1000} s`);
  }
}

/** An answer that is longer than any that is meant. */
export class LongAnswerError extends Error {
  override readonly name = 'LongAnswerError';
  readonly code = 'ELONGANSWER';

  /** @param limit in bytes. */
  constructor(limit: number) {
    super(`the answer has more than ${limit} bytes`);
  }
}

/** An answer that is none of S3's. */
export class StrangeAnswerError extends Error {
  override readonly name = 'StrangeAnswerError';
  readonly code = 'ESTRANGE';
}

/** The end of a body before all of it. */
export class CutError extends Error {
  override readonly name = 'CutError';
  readonly code = 'ECONNRESET';
}

/** Bytes that came and are not those that were put. */
export class MismatchError extends Error {
  override readonly name = 'MismatchError';
  readonly code = 'EMISMATCH';
}

const again = new Set([
  'BadDigest',
  'ClientDisconnect',
  'EntityTooSlow',
  'IncompleteBody',
  'InternalError',
  'InvalidDigest',
  'OperationAborted',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  // The payload was not the one that was signed: a byte was changed on the way.
  'XAmzContentSHA256Mismatch',
]);

const network = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'EMISMATCH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_SOCKET_CLOSED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'HPE_INVALID_CONSTANT',
]);

/** Node's word for what went wrong. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Worth another attempt. */
export function isTransient(error: unknown): boolean {
  if (error instanceof S3Error)
    return error.status >= 500 ? error.status !== 501 && error.status !== 507 : error.status === 429 || again.has(error.code);
  return network.has(codeOf(error));
}

/** The storage may have done what it was asked although no answer came. */
export function isAmbiguous(error: unknown): boolean {
  if (error instanceof S3Error) return error.status >= 500;
  const code = codeOf(error);
  return network.has(code) && code !== 'ECONNREFUSED' && code !== 'ENOTFOUND' && code !== 'EAI_AGAIN';
}

export function isMissingKey(error: unknown): boolean {
  return error instanceof S3Error && error.code === 'NoSuchKey';
}

export function isDenied(error: unknown): boolean {
  return error instanceof S3Error && (error.code === 'AccessDenied' || (error.status === 403 && error.code === 'HTTP 403'));
}
