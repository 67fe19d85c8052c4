import { idInKey, latestBackup, type CatalogEntry } from '../../app/catalog.ts';
import { readKeys } from '../../app/keys.ts';
import { verifyBackup, type VerifyResult } from '../../app/verify.ts';
import { PgbackupError, messageOf } from '../../domain/errors.ts';
import { formatBytes } from '../../domain/format.ts';
import { parseKeyFiles } from '../parse.ts';
import { formatSeconds } from '../present.ts';
import type { Ports } from '../../ports.ts';
import { formatOption, keyOptions, serviceOption, storageOption, type Arguments, type CommandSpec } from '../spec.ts';
import { targetBackup, targetCatalog } from './catalog-target.ts';

export const verify: CommandSpec = {
  verb: 'verify',
  args: '<target> [id]',
  summary: 'Prove again that a backup is whole',
  details:
    'Without an id: the newest one. Reads the stored archive, compares its SHA-256 with the manifest, and decodes it to its end with pg_restore.',
  options: [serviceOption, storageOption, { flags: '--all', summary: 'every backup of the service' }, ...keyOptions, formatOption],
  examples: ['dokku pgbackup:verify shop', 'dokku pgbackup:verify shop --all'],
  run: async ({ output, ports: open }, args) => {
    const keyFiles = parseKeyFiles(args);
    const ports = await open();
    if (args.flag('all') && args.optional(1) !== undefined) throw new PgbackupError('usage', 'Give either an id or --all');
    const keys = await readKeys(ports, keyFiles);
    const { chosen, unreadable } = args.flag('all') ? await everyBackup(ports, args) : await oneBackup(ports, args);
    const failures: { id: string; message: string }[] = [...unreadable];
    const copies = chosen.flatMap((entry) => entry.copies.map((storage) => ({ entry, storage })));
    const count = copies.length + unreadable.length;
    const what = copies.length > chosen.length ? 'copies' : 'backups';
    const results: VerifyResult[] = [];
    for (const { entry, storage } of copies) {
      try {
        const result = await verifyBackup(ports, entry, storage, keys);
        results.push(result);
        const how = result.decoded ? 'whole' : 'as stored (not decoded: it is encrypted, and no identity is given)';
        output.detail(`${result.id}: ${formatBytes(result.bytes)} ${how}, in ${formatSeconds(result.seconds)}`);
      } catch (error) {
        // Pruned since the catalog was read: that is no damage.
        if (error instanceof PgbackupError && error.code === 'not-found' && args.flag('all')) {
          output.detail(messageOf(error));
          continue;
        }
        // Not everything that keeps a backup from being looked at is damage: a Docker that is down, Ctrl-C.
        const damaged = error instanceof PgbackupError && (error.code === 'verification' || error.code === 'storage');
        if (!damaged || count === 1) throw error;
        failures.push({ id: entry.manifest.id, message: messageOf(error) });
        output.warn(messageOf(error));
      }
    }
    if (output.options.json) output.json({ verified: results, failed: failures });
    else if (!output.options.quiet)
      output.line(
        `=====> ${results.length} of ${count} ${what} are ${results.every((one) => one.decoded) ? 'whole' : 'as they were stored'}`,
      );
    if (failures.length > 0)
      throw new PgbackupError(
        'verification',
        `${failures.length} of ${count} ${what} are damaged: ${failures.map((f) => f.id).join(', ')}`,
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
  if (catalog.entries.length + catalog.problems.length === 0) latestBackup(catalog, service, ports.host.id, ports.clock.now());
  return { chosen: catalog.entries, unreadable: catalog.problems.map(({ key, message }) => ({ id: idInKey(key), message })) };
}
