/**
 * Backups to S3 beside the same backups to a directory, plain and encrypted, in one run: alternating, medians, ratios,
 * peak memory, what is written to a disk on the way. Then the listing of a thousand backups of a bucket, cold and warm.
 * `env $(test/lab/s3-up rgw) npm run bench:offsite -- --size 1000 --runs 5`; writes latest.md and latest.json to
 * bench/results/offsite. Uses the dokku on PATH, and a service, a storage and a bucket of its own that it removes again.
 */
import { rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { freshBucket, rgwTls } from '../test/tools/s3-server.ts';
import { type BackupTiming, foldersOf, makeStorage, newRecipient, removeStorage, timeBackup } from './offsite-backup.ts';
import { measureListing } from './offsite-listing.ts';
import { type OffsiteFigures, reportOffsite } from './offsite-report.ts';
import { alternate, capture, say, sql } from './run.ts';
import { createService, destroyService, machine, writeResults } from './service.ts';

const { values: options } = parseArgs({
  options: {
    // Of the database, in MB.
    size: { type: 'string', default: '1000' },
    runs: { type: 'string', default: '5' },
    // In the bucket, beside those that were really taken.
    backups: { type: 'string', default: '1000' },
    listings: { type: 'string', default: '7' },
    version: { type: 'string', default: '18' },
    // Speaks to the storage through TLS.
    tls: { type: 'boolean', default: false },
    out: { type: 'string', default: 'bench/results/offsite' },
  },
});

const name = `pgbench-${process.pid}`;

async function measure(): Promise<OffsiteFigures> {
  // Others who use the processors make all of it slower, and not all of it equally.
  const [load = 0] = loadavg();
  await using bucket = await freshBucket('rgw');
  const runs = Number(options.runs);
  makeStorage(name, bucket, options.tls ? rgwTls() : undefined);
  say(`Making a service of about ${options.size} MB`);
  createService(name, options.version, Number(options.size));
  const recipient = await newRecipient();
  capture('dokku', ['pgbackup:run', name, '--storage', 'local']);
  const { data, backups: folder } = foldersOf(name);
  using cleanUp = new DisposableStack();
  // A service leaves its backups behind.
  cleanUp.defer(() => rmSync(folder, { recursive: true, force: true }));
  const way = (storage: string, to?: string) => (): Promise<BackupTiming> => timeBackup(name, storage, to, data);
  say('Backups');
  const backups = await alternate(runs, {
    local: way('local'),
    S3: way(name),
    'local, encrypted': way('local', recipient),
    'S3, encrypted': way(name, recipient),
  });
  say('Listing');
  const listing = await measureListing(name, bucket, data, { backups: Number(options.backups), listings: Number(options.listings) });
  const bytes = Number(sql(name, 'SELECT pg_database_size(current_database())'));
  return { machine: machine(options.version), load, runs, bytes, tls: options.tls, backups, listing };
}

try {
  const figures = await measure();
  const text = reportOffsite(figures);
  writeResults(options.out, text, figures);
  process.stdout.write(text);
} finally {
  destroyService(name);
  removeStorage(name);
}
