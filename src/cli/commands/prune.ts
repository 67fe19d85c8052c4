import { prune, prunableServices } from '../../app/prune.ts';
import { prunedSums, type PrunedStorage, type PruneResult } from '../../app/prune-result.ts';
import { readCatalog } from '../../app/catalog.ts';
import { resolveService } from '../../app/resolve.ts';
import { openStorages } from '../../app/storages.ts';
import { messageOf, PgbackupError } from '../../domain/errors.ts';
import { formatBytes, formatTime } from '../../domain/format.ts';
import { isServiceName, type ServiceName } from '../../domain/names.ts';
import type { Ports } from '../../ports.ts';
import type { Output } from '../output.ts';
import { formatOption, serviceOption, storageOption, type Arguments, type CommandSpec } from '../spec.ts';
import { storagesOption } from './catalog-target.ts';

export const pruneCommand: CommandSpec = {
  verb: 'prune',
  args: '[target]',
  summary: 'Remove backups that the retention policy does not keep',
  details:
    'The policy is made of the settings keep-last, keep-hourly, keep-daily, keep-weekly, keep-monthly, keep-yearly and keep-within ' +
    '(dokku pgbackup:set): what any of them keeps stays, and while none is set nothing is removed. It is applied in each storage ' +
    'by itself. Whatever it says, these stay: the newest min-keep backups, those of another host, under object lock, being read ' +
    'by a restore, or dated in the future. Backups of some schemas count apart from those of the whole database. ' +
    'Archives without a manifest go when they are a day old. A backup prunes by itself when it is done.',
  options: [
    serviceOption,
    { flags: '--all', summary: 'every service that has backups here' },
    { flags: '--dry-run', summary: 'only say what would be removed, and why the rest is kept' },
    storageOption,
    formatOption,
  ],
  examples: ['dokku pgbackup:prune shop --dry-run', 'dokku pgbackup:prune --all'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const all = args.flag('all');
    const named = args.optional(0) !== undefined || args.text('service') !== undefined;
    if (all === named) {
      throw new PgbackupError('usage', all ? 'Give either a service or --all' : 'Name a service or an app, or give --all', {
        hint: 'dokku pgbackup:prune <target>|--all [--dry-run]',
      });
    }
    const request = { dryRun: args.flag('dryRun'), storages: storagesOption(args) };
    const services = all ? await prunableServices(ports) : [await targetService(ports, args)];
    const results: PruneResult[] = [];
    const failures: string[] = [];
    for (const service of services) {
      try {
        const result = await prune(ports, service, request);
        results.push(result);
        if (!output.options.json) present(output, result);
        failures.push(...result.storages.flatMap((storage) => storage.failures.map((failure) => `${storage.storage}: ${failure}`)));
      } catch (error) {
        if (!all || ports.signal.aborted) throw error;
        failures.push(`${service}: ${messageOf(error)}`);
      }
    }
    if (output.options.json) output.json(all ? results : results[0]);
    if (failures.length === 0) return;
    for (const failure of failures.slice(1)) output.warn(failure);
    throw new PgbackupError('partial', `Not everything could be pruned. ${failures[0]}`, {
      hint: 'No backup is harmed by it. When the cause is mended, prune again',
    });
  },
};

/** A service that is gone is known by its backups. */
async function targetService(ports: Ports, args: Arguments): Promise<ServiceName> {
  const service = args.text('service');
  const name = service ?? args.required(0);
  try {
    // Not the catalog first, as where it is to be read anyway: a storage that cannot be listed is told as one that cannot be pruned.
    return (await resolveService(ports, { target: args.required(0), ...(service !== undefined && { service }) })).name;
  } catch (error) {
    if (!(error instanceof PgbackupError) || error.code !== 'not-found' || !isServiceName(name)) throw error;
    if ((await readCatalog(await openStorages(ports, name), name)).entries.length === 0) throw error;
    return name;
  }
}

function present(output: Output, result: PruneResult): void {
  const { service, dryRun, rules, minKeep, storages } = result;
  if (output.options.quiet) {
    for (const { backups } of storages) for (const { id, keep, removed } of backups) if (dryRun ? !keep : removed) output.line(id);
    return;
  }
  output.step(`Pruning ${service}: ${rules === '' ? 'no retention policy is set, nothing is removed' : `${rules}, min-keep ${minKeep}`}`);
  for (const storage of storages) presentStorage(output, storage, dryRun);
  const { removed, bytes } = prunedSums(result);
  const kept = storages.reduce((sum, { backups }) => sum + backups.length, 0) - removed;
  const orphans = storages.flatMap((storage) => storage.orphans).length;
  const sum = `${removed} backups${orphans === 0 ? '' : ` and ${orphans} archives without a manifest`}`;
  output.line(
    dryRun
      ? `=====> ${sum} of ${service} would be removed (${formatBytes(bytes)}), ${kept} kept`
      : `=====> ${sum} of ${service} removed (${formatBytes(bytes)}), ${kept} kept`,
  );
}

function presentStorage(output: Output, { storage, place, backups, orphans }: PrunedStorage, dryRun: boolean): void {
  output.detail(`In ${storage} (${place})`);
  if (backups.length > 0)
    output.table(
      ['', 'ID', 'TAKEN', 'SIZE', 'WHY'],
      backups.map(({ id, startedAt, size, keep, reasons }) => [
        keep ? 'KEEP' : 'REMOVE',
        id,
        formatTime(startedAt),
        formatBytes(size),
        reasons.join(', '),
      ]),
    );
  for (const { id, size } of orphans)
    output.detail(`${dryRun ? 'Would remove' : 'Removed'} what is left of ${id}, which has no manifest (${formatBytes(size)})`);
}
