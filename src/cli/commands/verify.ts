import { verifyBackup } from '../../app/verify.ts';
import { PgbackupError, messageOf } from '../../domain/errors.ts';
import { formatBytes } from '../../domain/format.ts';
import { formatSeconds } from '../present.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';
import { targetBackup } from './catalog-target.ts';

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
    const { catalog, entry } = await targetBackup(ports, args);
    const chosen = args.flag('all') ? catalog.entries : [entry];
    const failures: { id: string; message: string }[] = [];
    const results = [];
    for (const one of chosen) {
      try {
        const result = await verifyBackup(ports, one);
        results.push(result);
        output.detail(`${result.id}: ${formatBytes(result.bytes)} whole, in ${formatSeconds(result.seconds)}`);
      } catch (error) {
        if (chosen.length === 1) throw error;
        failures.push({ id: one.manifest.id, message: messageOf(error) });
        output.warn(messageOf(error));
      }
    }
    if (output.options.json) output.json({ verified: results, failed: failures });
    else if (!output.options.quiet) output.line(`=====> ${results.length} of ${chosen.length} backups are whole`);
    if (failures.length > 0)
      throw new PgbackupError(
        'verification',
        `${failures.length} of ${chosen.length} backups are damaged: ${failures.map((f) => f.id).join(', ')}`,
      );
  },
};
