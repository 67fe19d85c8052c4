import { hostOf, openStorage, readCatalog, type Catalog } from '../../app/catalog.ts';
import { totalRows } from '../../domain/manifest.ts';
import { formatBytes, formatCount, formatTime } from '../../domain/format.ts';
import type { Output } from '../output.ts';
import { formatLabels } from '../present.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';
import { targetCatalog } from './catalog-target.ts';

export const list: CommandSpec = {
  verb: 'list',
  args: '[target]',
  summary: 'List backups',
  details:
    'Oldest first. Without a target: the backups of every service in the storage that is set for all. Only proven backups are ever listed.',
  options: [serviceOption, formatOption],
  examples: ['dokku pgbackup:list', 'dokku pgbackup:list shop --format json'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const target = args.optional(0);
    const catalog =
      target === undefined ? await readCatalog(await openStorage(ports, undefined), undefined) : (await targetCatalog(ports, args)).catalog;
    if (target === undefined) for (const problem of catalog.problems) output.warn(problem.message);
    if (output.options.json) return output.json(catalog.entries.map((entry) => ({ ...entry.manifest, storage: entry.storage.name })));
    present(output, catalog, target);
  },
};

function present(output: Output, { entries, storage }: Catalog, target: string | undefined): void {
  if (entries.length === 0) {
    output.detail(`No backups in ${storage.place}. Take one: dokku pgbackup:run ${target ?? '<target>'}`);
    return;
  }
  // Two hosts may share a storage: whose a backup is must be seen, for only the own ones are taken by --latest.
  const shared = new Set(entries.map(hostOf)).size > 1;
  // So must be that one is not of the whole database.
  const partial = entries.some(({ manifest }) => manifest.schemas.length > 0);
  output.table(
    ['ID', 'TAKEN', 'SIZE', 'ROWS', 'CODE', 'LABELS', ...(partial ? ['SCHEMAS'] : []), ...(shared ? ['HOST'] : [])],
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
      ];
    }),
  );
}
