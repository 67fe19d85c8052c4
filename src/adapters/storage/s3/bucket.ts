import { readFileSync } from 'node:fs';
import { messageOf, PgbackupError } from '../../../domain/errors.ts';
import { type S3Config, s3Place } from '../../../domain/s3-config.ts';
import { S3Client } from './client.ts';
import type { CredentialSource } from './credentials.ts';
import { endpointOf } from './endpoint.ts';
import { explained, type Failed } from './explain.ts';
import type { Bucket } from './look.ts';
import { type S3Options, settle } from './options.ts';

/** @throws PgbackupError storage, when the file of certificates cannot be read. */
export function openBucket(name: string, config: S3Config, credentials: CredentialSource, options: S3Options): Bucket {
  const settled = settle(options);
  const client = new S3Client(endpointOf(config), config.region, credentials, settled, certificates(name, config.caFile));
  const where = { ...config, name, place: s3Place(config) };
  return {
    client,
    config,
    settled,
    active: new Set(),
    explain: (error: unknown, failed: Failed) => {
      // The place names the prefix already.
      const what = failed.what?.startsWith(`${config.prefix}/`) ? failed.what.slice(config.prefix.length + 1) : failed.what;
      return explained(error, { ...failed, what }, where, settled.now());
    },
  };
}

/** A certificate file adds to those that Node trusts and replaces none. */
function certificates(name: string, file: string | null): readonly string[] | undefined {
  if (file === null) return undefined;
  try {
    // Not imported: asking for them by name costs every command that opens a storage some milliseconds.
    return [...process.getBuiltinModule('node:tls').rootCertificates, readFileSync(file, 'utf8')];
  } catch (cause) {
    throw new PgbackupError('storage', `Storage ${name}: the file of certificates ${file} cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: 'User dokku must be able to read it',
    });
  }
}
