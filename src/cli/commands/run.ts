import { createBackup } from '../../app/backup.ts';
import { formatLabels, formatRevision, formatRows, formatSeconds, formatSize } from '../present.ts';
import { formatBytes } from '../../domain/format.ts';
import { parseLabels, parseNote } from '../parse.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';

export const run: CommandSpec = {
  verb: 'run',
  args: '<target>',
  summary: 'Take a backup and prove it restorable',
  details:
    'Dumps the database of the service with its own pg_dump, counts the rows of every table in the same snapshot, ' +
    'decodes the archive to its end while it is written, and reads it back from the storage. Only then is it listed.',
  options: [
    serviceOption,
    { flags: '--label <key=value>', summary: 'a label to find it by', repeats: true },
    { flags: '--note <text>', summary: 'a line about why it was taken' },
    { flags: '--schema <schema>', summary: 'only this schema', repeats: true },
    formatOption,
  ],
  examples: ['dokku pgbackup:run shop', 'dokku pgbackup:run shop --note "before the migration" --label level=1200'],
  run: async ({ output, ports, version }, args) => {
    const labels = parseLabels(args.list('label'));
    const note = parseNote(args.text('note'));
    const service = args.text('service');
    const { manifest, place, seconds } = await createBackup(await ports(), {
      target: args.required(0),
      ...(service !== undefined && { service }),
      labels,
      note,
      schemas: args.list('schema'),
      toolVersion: version,
    });
    if (output.options.json) return output.json({ ...manifest, place, seconds });
    if (output.options.quiet) return output.line(manifest.id);
    output.result(`Backup ${manifest.id} is taken and proven`, [
      ['Size', formatSize(manifest)],
      ['Took', `${formatSeconds(seconds)}, ${formatBytes(manifest.databaseBytes / Math.max(seconds, 0.001))} of database a second`],
      ['Rows', formatRows(manifest)],
      ...manifest.apps.map((app): [string, string] => ['Code', formatRevision(app)]),
      ...(Object.keys(labels).length > 0 ? [['Labels', formatLabels(labels)] as const] : []),
      ...(note === null ? [] : [['Note', note] as const]),
      ['Lies in', place],
      ['Restore it', `dokku pgbackup:restore ${manifest.service.name} ${manifest.id}`],
    ]);
  },
};
