/** A backup to a storage, with what is watched while it runs. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import type { Bucket, S3Server } from '../test/tools/s3-server.ts';
import { capture, time, type Timing } from './run.ts';

/** Of all keys in the bucket. */
export const prefix = 'bench';

/** One timed backup. */
export interface BackupTiming extends Timing {
  /** Bytes of the largest file that was seen in the spool. A FIFO is none. */
  readonly spooled: number;
}

/** A storage of this host in that bucket. @param tls by which it is reached instead. */
export function makeStorage(name: string, bucket: Bucket, tls: (S3Server & { readonly ca: string }) | undefined): void {
  const { endpoint, region, accessKeyId, secretAccessKey } = tls ?? bucket.server;
  const where = ['--bucket', bucket.name, '--prefix', prefix, '--endpoint', endpoint, '--region', region];
  capture('dokku', ['pgbackup:storage-create', name, 's3', ...where, ...(tls ? ['--ca-file', tls.ca] : [])]);
  capture('dokku', ['pgbackup:storage-auth', name], `${accessKeyId}\n${secretAccessKey}\n`);
}

export function removeStorage(name: string): void {
  try {
    capture('dokku', ['pgbackup:storage-destroy', name, '--confirm', name]);
  } catch {
    // It was never made.
  }
}

/** Where things of a service lie on this host. */
export interface Folders {
  /** All of the plugin's data. */
  readonly data: string;
  /** The backups of the service. */
  readonly backups: string;
}

/** Known from where a backup of the service lies. @throws Error, when that is not where it usually is. */
export function foldersOf(service: string): Folders {
  const info = JSON.parse(capture('dokku', ['pgbackup:info', service, '--storage', 'local', '--format', 'json'])) as { place: string };
  const [data = ''] = info.place.split('/backups/');
  if (!existsSync(join(data, 'storages'))) throw new Error(`${info.place} is not below the plugin's data: is a backup-dir set?`);
  return { data, backups: dirname(info.place) };
}

/** A recipient whose identity nobody keeps. */
export async function newRecipient(): Promise<string> {
  return identityToRecipient(await generateIdentity());
}

/**
 * Times a backup, which must reach the storage and be proven.
 * @param recipient to whom it is encrypted; undefined: to nobody. @param data the folder of the plugin's data.
 */
export async function timeBackup(service: string, storage: string, recipient: string | undefined, data: string): Promise<BackupTiming> {
  capture('dokku', ['pgbackup:set', service, 'recipients', ...(recipient === undefined ? [] : [recipient])]);
  let spooled = 0;
  const watch = setInterval(() => (spooled = Math.max(spooled, largestFile(join(data, 'spool')))), 25);
  try {
    return { ...(await time(`dokku pgbackup:run ${service} --storage ${storage}`)), spooled };
  } finally {
    clearInterval(watch);
  }
}

/** Bytes of the largest regular file below a folder. */
function largestFile(folder: string): number {
  let largest = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
      if (entry.isFile()) largest = Math.max(largest, statSync(join(entry.parentPath, entry.name)).size);
  } catch {
    // It was there a moment ago.
  }
  return largest;
}
