import { createBackup, failedCopies, type BackupRequest, type BackupResult } from '../../app/backup.ts';
import { prunedSums } from '../../app/prune-result.ts';
import { runScheduled, type ScheduledRequest } from '../../app/scheduled-run.ts';
import { formatEncryption, formatLabels, formatRevision, formatRows, formatSeconds, formatSize } from '../present.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { formatBytes } from '../../domain/format.ts';
import type { Output } from '../output.ts';
import { parseLabels, parseNote } from '../parse.ts';
import { formatOption, serviceOption, type Arguments, type CommandSpec } from '../spec.ts';
import { storagesOption } from './catalog-target.ts';

export const run: CommandSpec = {
  verb: 'run',
  args: '<target>',
  summary: 'Take a backup and prove it restorable',
  details:
    'Dumps the database of the service with its own pg_dump, counts the rows of every table in the same snapshot, ' +
    'decodes the archive to its end while it is written, and has each storage show that it holds what was sent: by a checksum of its own, ' +
    'or by being read back. Only then is it listed. Exit code 3: a backup, but not in all of its storages.',
  options: [
    serviceOption,
    { flags: '--label <key=value>', summary: 'a label to find it by', repeats: true },
    { flags: '--note <text>', summary: 'a line about why it was taken' },
    { flags: '--schema <schema>', summary: 'only this schema', repeats: true },
    { flags: '--storage <storage>', summary: 'only to this storage', repeats: true },
    { flags: '--schedule <id>', summary: 'as this schedule of the service says; what cron types' },
    formatOption,
  ],
  examples: ['dokku pgbackup:run shop', 'dokku pgbackup:run shop --note "before the migration" --label level=1200'],
  run: async ({ output, ports, version }, args) => {
    const id = args.text('schedule');
    const request = id === undefined ? requestOf(args, version) : scheduledOf(id, args, version);
    const done = await ('id' in request ? runScheduled(await ports(), request) : createBackup(await ports(), request));
    if (output.options.json)
      output.json({
        ...done.manifest,
        place: done.places[0],
        places: done.places,
        behind: done.behind,
        pruned: removedBy(done),
        seconds: done.seconds,
      });
    else if (output.options.quiet) output.line(done.manifest.id);
    else present(output, done);
    mustBeEverywhere(done);
  },
};

function requestOf(args: Arguments, toolVersion: string): BackupRequest {
  const labels = parseLabels(args.list('label'));
  const note = parseNote(args.text('note'));
  const service = args.text('service');
  const storages = storagesOption(args);
  return {
    target: args.required(0),
    ...(service !== undefined && { service }),
    labels,
    note,
    schemas: args.list('schema'),
    ...(storages !== undefined && { storages }),
    toolVersion,
  };
}

/** @throws PgbackupError usage, beside what the schedule itself says. */
function scheduledOf(id: string, args: Arguments, toolVersion: string): ScheduledRequest {
  const more =
    ['label', 'schema', 'storage'].find((option) => args.list(option).length > 0) ??
    ['note', 'service'].find((option) => args.text(option));
  if (more !== undefined) throw new PgbackupError('usage', `A schedule has its own options: --${more} does not go with --schedule`);
  return { service: args.required(0), id, toolVersion };
}

/** Older copies that are gone by the retention policy. */
function removedBy({ pruned }: BackupResult): number {
  return pruned ? prunedSums(pruned).removed : 0;
}

function present(output: Output, done: BackupResult): void {
  const { manifest, places, behind, seconds } = done;
  const pruned = removedBy(done);
  const { labels, note } = manifest;
  output.result(`Backup ${manifest.id} is taken and proven`, [
    ['Size', formatSize(manifest)],
    ['Took', `${formatSeconds(seconds)}, ${formatBytes(manifest.databaseBytes / Math.max(seconds, 0.001))} of database a second`],
    ['Rows', formatRows(manifest)],
    ...manifest.apps.map((app): [string, string] => ['Code', formatRevision(app)]),
    ...(Object.keys(labels).length > 0 ? [['Labels', formatLabels(labels)] as const] : []),
    ...(note === null ? [] : [['Note', note] as const]),
    ...(manifest.archive.encryption === null ? [] : [['Encrypted', formatEncryption(manifest.archive.encryption)] as const]),
    ...places.map((place): [string, string] => ['Lies in', place]),
    ...(pruned > 0 ? [['Pruned', `${pruned} older, by the retention policy`] as const] : []),
    ['Restore it', `dokku pgbackup:restore ${manifest.service.name} ${manifest.id}`],
  ]);
  for (const [name, ids] of Object.entries(behind)) {
    const which = ids.length > 3 ? `${ids.length} backups, the oldest of them ${ids[0]}` : ids.join(', ');
    output.warn(
      `${name} lacks ${which}. To bring ${ids.length === 1 ? 'it' : 'them'} there: dokku pgbackup:copy ${manifest.service.name} --to ${name}`,
    );
  }
}

/** @throws PgbackupError partial: it is a backup, but not one in every storage. */
function mustBeEverywhere({ manifest }: BackupResult): void {
  const failed = failedCopies(manifest);
  if (failed.length === 0) return;
  throw new PgbackupError('partial', `Backup ${manifest.id} is not in ${failed.map(({ name }) => name).join(', ')}`, {
    hint: `When the storage works again: dokku pgbackup:copy ${manifest.service.name} ${manifest.id} --to ${failed[0]?.name}`,
  });
}
