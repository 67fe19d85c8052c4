/** The listing of many backups that lie in a bucket. */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { Bucket } from '../test/tools/s3-server.ts';
import { prefix } from './offsite-backup.ts';
import { capture, say, time, type Timing } from './run.ts';

export interface Listing {
  /** How many are listed. */
  readonly backups: number;
  /** Bytes of one manifest. */
  readonly manifest: number;
  /** Nothing is known of the storage. */
  readonly cold: readonly Timing[];
  /** Manifests that an earlier listing has fetched are remembered. */
  readonly warm: readonly Timing[];
}

interface Manifest {
  readonly id: string;
  readonly host: string;
  readonly startedAt: string;
  readonly archive: { readonly file: string };
  readonly [field: string]: unknown;
}

/**
 * Times the whole command, the storage's manifests forgotten and remembered in turn.
 * @param service whose backups lie in the storage of the same name. @param data the folder of the plugin's data.
 * @throws Error, when not each of them is listed: the time of a listing that leaves some out is none.
 */
export async function measureListing(
  service: string,
  bucket: Bucket,
  data: string,
  { backups, listings }: { readonly backups: number; readonly listings: number },
): Promise<Listing> {
  const list = `dokku pgbackup:list ${service} --storage ${service} --format json`;
  const real = JSON.parse(capture('bash', ['-c', list])) as Manifest[];
  const newest = real.at(-1);
  if (!newest) throw new Error(`${service} has no backup in the bucket`);
  say(`  Putting ${backups} copies of ${newest.id} into the bucket`);
  const manifest = await multiply(service, bucket, newest, backups);
  const expected = real.length + backups;
  const listed = async (): Promise<Timing> => {
    capture('sync', []);
    const timing = await time(list);
    const count = new Set((JSON.parse(timing.output) as Manifest[]).map(({ id }) => id)).size;
    if (count !== expected) throw new Error(`${count} backups are listed, and there are ${expected}`);
    return timing;
  };
  const [cold, warm]: [Timing[], Timing[]] = [[], []];
  for (let round = 0; round <= listings; round += 1) {
    rmSync(join(data, 'cache', `${service}.manifests`), { force: true });
    const first = await listed();
    const second = await listed();
    say(`  cold: ${first.seconds.toFixed(2)} s, warm: ${second.seconds.toFixed(2)} s${round === 0 ? ' (not counted)' : ''}`);
    if (round === 0) continue;
    cold.push(first);
    warm.push(second);
  }
  return { backups: expected, manifest, cold, warm };
}

/** Puts copies of a backup, six hours apart, each with an archive of one byte. @returns bytes of one manifest. */
async function multiply(service: string, { client, name }: Bucket, listed: Manifest, count: number): Promise<number> {
  // What a listing adds is no part of the manifest.
  const { storage: _, copies: __, ...manifest } = listed;
  let bytes = 0;
  let next = 0;
  const put = async (key: string, body: string): Promise<void> => {
    const sha256 = createHash('sha256').update(body).digest('hex');
    // As the program puts them: what has this sum is checked against it when it is read.
    const metadata = { 'pgbackup-sha256': sha256 };
    await client.send(new PutObjectCommand({ Bucket: name, Key: key, Body: body, Metadata: metadata }));
  };
  const putter = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const startedAt = new Date(Date.UTC(2025, 0, 1) + i * 6 * 3_600_000).toISOString();
      const id = `${service}-${startedAt.slice(0, 19).replaceAll(/[-:]/g, '')}Z-k3f9`;
      const folder = `${prefix}/${manifest.host}/${service}/${id}`;
      const text = `${JSON.stringify({ ...manifest, id, startedAt }, undefined, 1)}\n`;
      bytes = Buffer.byteLength(text);
      await put(`${folder}/${manifest.archive.file}`, 'x');
      await put(`${folder}/manifest.json`, text);
    }
  };
  await Promise.all(Array.from({ length: 16 }, putter));
  return bytes;
}
