import { formatBytes, formatCount, formatTime } from '../../domain/format.ts';
import { formatLabels, formatEncryption, formatRevision, formatRows, formatSize } from '../present.ts';
import { formatOption, serviceOption, storageOption, type CommandSpec } from '../spec.ts';
import { targetBackup } from './catalog-target.ts';

export const info: CommandSpec = {
  verb: 'info',
  args: '<target> [id]',
  summary: 'Show all that is known of a backup',
  details: 'Without an id: the newest one. With --format json: its manifest.',
  options: [serviceOption, storageOption, { flags: '--tables', summary: 'also the rows of every table' }, formatOption],
  examples: ['dokku pgbackup:info shop', 'dokku pgbackup:info shop shop-20261120T031500Z-k3f9 --tables'],
  run: async ({ output, ports }, args) => {
    const { entry } = await targetBackup(await ports(), args);
    const { manifest } = entry;
    if (output.options.json) return output.json({ ...manifest, place: `${entry.storage.place}/${entry.folder}` });
    const { archive, database } = manifest;
    output.result(`Backup ${manifest.id}`, [
      ['Service', `${manifest.service.name} (${manifest.service.image}, PostgreSQL ${manifest.server.version}) on host ${manifest.host}`],
      ['Database', `${database.name}, owner ${database.owner}, ${database.encoding}, ${database.locale ?? database.collate}`],
      ['Taken', `${formatTime(manifest.startedAt)} to ${formatTime(manifest.finishedAt)}`],
      ['Proven', formatTime(manifest.provenAt)],
      ['Size', formatSize(manifest)],
      ['Rows', formatRows(manifest)],
      ['Extensions', manifest.extensions.map((extension) => `${extension.name} ${extension.version}`).join(', ') || '-'],
      ['Roles', manifest.roles.join(', ') || '-'],
      ['Schemas', manifest.schemas.join(', ') || 'all'],
      ...manifest.apps.map((app): [string, string] => ['Code', formatRevision(app)]),
      ['Labels', formatLabels(manifest.labels)],
      ['Note', manifest.note ?? '-'],
      ...entry.copies.map(({ place }): [string, string] => [
        'Archive',
        `${place}/${entry.folder}${archive.file} (${formatCount(archive.storedBytes)} bytes)`,
      ]),
      ...(manifest.storages ?? [])
        .filter(({ stored }) => !stored)
        .map(({ name, message }): [string, string] => ['Failed', `${name}: ${message}`]),
      ['Encrypted', formatEncryption(archive.encryption)],
      ['SHA-256', archive.storedSha256],
      ['Compression', archive.wrapping === null ? archive.compression : `${archive.wrapping} around the archive`],
      ['Unpacked', formatBytes(manifest.databaseBytes)],
    ]);
    if (!args.flag('tables')) return;
    output.table(
      ['SCHEMA', 'TABLE', 'ROWS'],
      manifest.rows.map((table) => [table.schema, table.table, formatCount(table.rows)]),
    );
  },
};
