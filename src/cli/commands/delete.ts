import { deleteBackup } from '../../app/delete.ts';
import { confirmOptions, formatOption, serviceOption, type CommandSpec } from '../spec.ts';
import { targetBackup } from './catalog-target.ts';

export const deleteCommand: CommandSpec = {
  verb: 'delete',
  args: '<target> <id>',
  summary: 'Delete a backup',
  details: 'Asks for the id. The newest backup of a service goes only with --force.',
  options: [serviceOption, ...confirmOptions, formatOption],
  examples: ['dokku pgbackup:delete shop shop-20261120T031500Z-k3f9'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const { catalog, entry } = await targetBackup(ports, args);
    await deleteBackup(ports, catalog, entry, { confirm: args.text('confirm'), force: args.flag('force') });
    if (output.options.json) return output.json({ deleted: entry.manifest.id });
    output.result(`Backup ${entry.manifest.id} is deleted`, []);
  },
};
