import { copyBackups } from '../../app/copy.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { formatBytes } from '../../domain/format.ts';
import { parseStorageName } from '../../domain/storage-name.ts';
import { formatSeconds } from '../present.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';
import { storagesOption, targetName } from './catalog-target.ts';

export const copy: CommandSpec = {
  verb: 'copy',
  args: '<target> [id]',
  summary: 'Copy backups to another storage',
  details:
    'Without an id: all of this host that the other storage lacks, oldest first. Each is compared with its checksum on the way and proven there. ' +
    'What is encrypted stays so.',
  options: [
    serviceOption,
    { flags: '--to <storage>', summary: 'where to' },
    { flags: '--storage <storage>', summary: 'only from this storage', repeats: true },
    formatOption,
  ],
  examples: ['dokku pgbackup:copy shop --to offsite', 'dokku pgbackup:copy shop shop-20261120T031500Z-k3f9 --to offsite'],
  run: async ({ output, ports: open }, args) => {
    const to = args.text('to');
    if (to === undefined)
      throw new PgbackupError('usage', 'Say where to', { hint: '--to <storage>; there are: dokku pgbackup:storage-list' });
    const ports = await open();
    const from = storagesOption(args);
    const service = await targetName(ports, args, from);
    const { copied, failed } = await copyBackups(ports, { service, id: args.optional(1), to: parseStorageName(to), from });
    const count = copied.length + failed.length;
    if (output.options.json) output.json({ copied, failed });
    else if (count === 0) output.line(`=====> ${to} has ${args.optional(1) ?? `all backups of ${service}`} already`);
    else
      output.result(
        `${copied.length} of ${count} ${count === 1 ? 'backup' : 'backups'} copied to ${to}`,
        copied.map(({ id, bytes, seconds }) => [id, `${formatBytes(bytes)} in ${formatSeconds(seconds)}`]),
      );
    if (failed.length > 0)
      throw new PgbackupError('partial', `${failed.length} of ${count} backups were not copied: ${failed.map(({ id }) => id).join(', ')}`);
  },
};
