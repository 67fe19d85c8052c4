import { Buffer } from 'node:buffer';
import type { S3Config } from '../../../domain/s3-config.ts';

const day = 86_400_000;

/** What an object is told to be when it is begun. Never an ACL: whose it is and who reads it is the bucket's business. */
export function objectHeaders(config: S3Config, key: string, nonce: string, now: Date): Record<string, string> {
  return {
    'content-type': key.endsWith('.json') ? 'application/json' : 'application/octet-stream',
    'x-amz-meta-pgbackup-upload': nonce,
    ...(config.storageClass !== null && { 'x-amz-storage-class': config.storageClass }),
    ...(config.sse !== null && { 'x-amz-server-side-encryption': config.sse }),
    ...(config.kmsKeyId !== null && { 'x-amz-server-side-encryption-aws-kms-key-id': config.kmsKeyId }),
    ...(config.lockDays !== null && {
      'x-amz-object-lock-mode': config.lockMode,
      'x-amz-object-lock-retain-until-date': new Date(now.getTime() + config.lockDays * day).toISOString(),
    }),
  };
}

/** The sum that the storage is asked to keep and give back, where it was said to be able to. */
export function sumHeaders(config: S3Config, sha256: string): Record<string, string> {
  return config.checksums === 'when-supported' ? { 'x-amz-checksum-sha256': base64(sha256) } : {};
}

/** Hex as base64. */
export function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

/** An ETag without its quotes and without the mark of a weak one, which proxies put there. */
export function etagOf(header: string | undefined): string | undefined {
  return header?.replace(/^W\//, '').replaceAll('"', '');
}
