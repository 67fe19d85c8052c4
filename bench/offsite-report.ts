/** The figures of off-site backups as Markdown. */
import type { BackupTiming } from './offsite-backup.ts';
import type { Listing } from './offsite-listing.ts';
import { median, type Results, type Timing } from './run.ts';

export interface OffsiteFigures {
  readonly machine: string;
  /** Of the minute before it began. */
  readonly load: number;
  readonly runs: number;
  /** Bytes of the database. */
  readonly bytes: number;
  readonly tls: boolean;
  readonly backups: Results<BackupTiming>;
  readonly listing: Listing;
}

/** Times what the same backup to a directory takes. */
const limits: Readonly<Record<string, string>> = { S3: '1.25', 'S3, encrypted': '1.50' };

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
const secondsOf = (timings: readonly Timing[] | undefined): number => median((timings ?? []).map(({ seconds }) => seconds));
const most = <T>(items: readonly T[], of: (item: T) => number): number => Math.max(0, ...items.map(of));

function backupRow(way: string, timings: readonly BackupTiming[], local: number): string {
  const all = timings.map(({ seconds }) => seconds.toFixed(2)).join(', ');
  const cells = [
    way,
    `${secondsOf(timings).toFixed(2)} (${all})`,
    (secondsOf(timings) / local).toFixed(2),
    limits[way] ?? '',
    megabytes(most(timings, ({ peak }) => peak)),
    megabytes(most(timings, ({ written }) => written)),
    `${most(timings, ({ spooled }) => spooled)} bytes`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function listingRow(what: string, timings: readonly Timing[], limit: string): string {
  const all = timings.map(({ seconds }) => seconds.toFixed(2)).join(', ');
  return `| ${what} | ${secondsOf(timings).toFixed(2)} (${all}) | ${limit} | ${megabytes(most(timings, ({ peak }) => peak))} |`;
}

/** @returns the whole report. */
export function reportOffsite({ machine, load, runs, bytes, tls, backups, listing }: OffsiteFigures): string {
  const local = secondsOf(backups['local']);
  return [
    '# Benchmark of off-site backups',
    '',
    `${megabytes(bytes)} of database, ${runs} alternating runs after one that does not count, ${new Date().toISOString().slice(0, 10)}.`,
    `${machine}. The storage is a Ceph RADOS Gateway 20 with its disk on the same processors${tls ? ', through TLS' : ''}:`,
    `what it needs is part of each figure. Load before it began: ${load.toFixed(1)}. Seconds are of that day and that machine; the ratios are what counts.`,
    '',
    '## Backup (rows counted, decoded to its end, shown to be stored as it was sent)',
    '',
    '| to | seconds, median (all) | times local | at most | peak memory of the program | it wrote to files | largest file in the spool |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...Object.entries(backups).map(([way, timings]) => backupRow(way, timings, local)),
    '',
    `## Listing ${listing.backups.toLocaleString('en')} backups in the bucket`,
    '',
    '| `dokku pgbackup:list --format json` | seconds, median (all) | less than | peak memory of the program |',
    '| --- | --- | --- | --- |',
    listingRow('cold: nothing known of the storage', listing.cold, '2'),
    listingRow('warm: unchanged manifests remembered', listing.warm, '0.5'),
    '',
    `Each is the whole command, from the shell on, and lists every one of them; a manifest has ${listing.manifest.toLocaleString('en')} bytes.`,
    '',
  ].join('\n');
}
