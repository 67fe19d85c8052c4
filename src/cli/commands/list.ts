import { addressOf, hostOf, placesOf, readCatalog, warnOfGaps, type Catalog } from '../../app/catalog.ts';
import { openStorages } from '../../app/storages.ts';
import { totalRows } from '../../domain/manifest.ts';
import { formatBytes, formatCount, formatTime } from '../../domain/format.ts';
import type { Output } from '../output.ts';
import { formatLabels } from '../present.ts';
import { formatOption, serviceOption, storageOption, type CommandSpec } from '../spec.ts';
import { storagesOption, targetCatalog } from './catalog-target.ts';

export const list: CommandSpec = {
  verb: 'list',
  args: '[target]',
  summary: 'List backups',
  details:
    'Oldest first. Without a target: the backups of every service in the storages that are set for all. Only proven backups are ever listed; ' +
    'what dokku-postgres has put beside them is shown apart, by the address that pgbackup:restore takes.',
  options: [serviceOption, storageOption, formatOption],
  examples: ['dokku pgbackup:list', 'dokku pgbackup:list shop --format json'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const target = args.optional(0);
    const catalog =
      target === undefined
        ? await readCatalog(await openStorages(ports, undefined, storagesOption(args)), undefined)
        : (await targetCatalog(ports, args)).catalog;
    if (target === undefined) warnOfGaps(output, catalog);
    if (output.options.json)
      return output.json(
        catalog.entries.map((entry) => ({ ...entry.manifest, storage: entry.storage.name, copies: entry.copies.map(({ name }) => name) })),
      );
    present(output, catalog, target);
  },
};

function present(output: Output, catalog: Catalog, target: string | undefined): void {
  presentOwn(output, catalog, target);
  if (catalog.foreign.length === 0) return;
  output.line('');
  output.table(
    ['OF DOKKU-POSTGRES', 'SERVICE', 'TAKEN'],
    catalog.foreign.map((entry) => [addressOf(entry), entry.service, formatTime(entry.taken)]),
  );
}

function presentOwn(output: Output, { entries, storages }: Catalog, target: string | undefined): void {
  if (entries.length === 0) {
    output.detail(`No backups in ${placesOf({ storages })}. Take one: dokku pgbackup:run ${target ?? '<target>'}`);
    return;
  }
  // Two hosts may share a storage: whose a backup is must be seen, for only the own ones are taken by --latest.
  const shared = new Set(entries.map(hostOf)).size > 1;
  // So must be that one is not of the whole database.
  const partial = entries.some(({ manifest }) => manifest.schemas.length > 0);
  // And, with several storages, where it lies: one that was away lacks some.
  const several = storages.length > 1;
  output.table(
    [
      'ID',
      'TAKEN',
      'SIZE',
      'ROWS',
      'CODE',
      'LABELS',
      ...(partial ? ['SCHEMAS'] : []),
      ...(shared ? ['HOST'] : []),
      ...(several ? ['IN'] : []),
    ],
    entries.map((entry) => {
      const { manifest } = entry;
      return [
        manifest.id,
        formatTime(manifest.startedAt),
        formatBytes(manifest.archive.storedBytes),
        formatCount(totalRows(manifest.rows)),
        manifest.apps.map((app) => app.sha?.slice(0, 10) ?? '-').join(',') || '-',
        formatLabels(manifest.labels),
        ...(partial ? [manifest.schemas.join(',') || 'all'] : []),
        ...(shared ? [hostOf(entry)] : []),
        ...(several ? [entry.copies.map(({ name }) => name).join(',')] : []),
      ];
    }),
  );
}
