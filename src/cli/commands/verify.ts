import { idInKey, latestBackup, type CatalogEntry } from '../../app/catalog.ts';
import { verifyBackup } from '../../app/verify.ts';
import { PgbackupError, messageOf } from '../../domain/errors.ts';
import { formatBytes } from '../../domain/format.ts';
import { formatSeconds } from '../present.ts';
import type { Ports } from '../../ports.ts';
import { formatOption, serviceOption, type Arguments, type CommandSpec } from '../spec.ts';
import { targetBackup, targetCatalog } from './catalog-target.ts';

export const verify: CommandSpec = {
  verb: 'verify',
  args: '<target> [id]',
  summary: 'Prove again that a backup is whole',
  details:
    'Without an id: the newest one. Reads the stored archive, compares its SHA-256 with the manifest, and decodes it to its end with pg_restore.',
  options: [serviceOption, { flags: '--all', summary: 'every backup of the service' }, formatOption],
  examples: ['dokku pgbackup:verify shop', 'dokku pgbackup:verify shop --all'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    if (args.flag('all') && args.optional(1) !== undefined) throw new PgbackupError('usage', 'Give either an id or --all');
    const { chosen, unreadable } = args.flag('all') ? await everyBackup(ports, args) : await oneBackup(ports, args);
    const failures: { id: string; message: string }[] = [...unreadable];
    const count = chosen.length + unreadable.length;
    const results = [];
    for (const one of chosen) {
      try {
        const result = await verifyBackup(ports, one);
        results.push(result);
        output.detail(`${result.id}: ${formatBytes(result.bytes)} whole, in ${formatSeconds(result.seconds)}`);
      } catch (error) {
        // Not everything that keeps a backup from being looked at is damage: a Docker that is down, Ctrl-C.
        const damaged = error instanceof PgbackupError && (error.code === 'verification' || error.code === 'storage');
        if (!damaged || !args.flag('all')) throw error;
        failures.push({ id: one.manifest.id, message: messageOf(error) });
        output.warn(messageOf(error));
      }
    }
    if (output.options.json) output.json({ verified: results, failed: failures });
    else if (!output.options.quiet) output.line(`=====> ${results.length} of ${count} backups are whole`);
    if (failures.length > 0)
      throw new PgbackupError(
        'verification',
        `${failures.length} of ${count} backups are damaged: ${failures.map((f) => f.id).join(', ')}`,
        { hint: `See that the newest is whole, or take one now: dokku pgbackup:run ${args.required(0)}` },
      );
  },
};

interface Chosen {
  readonly chosen: readonly CatalogEntry[];
  /** Manifests that cannot be read: what they belong to cannot be restored as a backup. */
  readonly unreadable: readonly { readonly id: string; readonly message: string }[];
}

async function oneBackup(ports: Ports, args: Arguments): Promise<Chosen> {
  try {
    return { chosen: [(await targetBackup(ports, args)).entry], unreadable: [] };
  } catch (error) {
    // What a restore would be refused for is here what was looked for.
    const damaged = error instanceof PgbackupError && error.code === 'damaged';
    throw damaged
      ? new PgbackupError('verification', error.message, { cause: error, ...(error.hint !== undefined && { hint: error.hint }) })
      : error;
  }
}

async function everyBackup(ports: Ports, args: Arguments): Promise<Chosen> {
  const { service, catalog } = await targetCatalog(ports, args);
  if (catalog.entries.length + catalog.problems.length === 0) latestBackup(catalog, service, ports.host.id);
  return { chosen: catalog.entries, unreadable: catalog.problems.map(({ key, message }) => ({ id: idInKey(key), message })) };
}
