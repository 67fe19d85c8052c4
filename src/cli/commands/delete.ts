import { findBackup } from '../../app/catalog.ts';
import { deleteBackup, deleteUnreadable } from '../../app/delete.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { confirmOptions, formatOption, serviceOption, storageOption, type CommandSpec } from '../spec.ts';
import { targetCatalog } from './catalog-target.ts';

export const deleteCommand: CommandSpec = {
  verb: 'delete',
  args: '<target> <id>',
  summary: 'Delete a backup',
  details: 'Asks for the id. The newest backup of a service goes only with --force.',
  options: [serviceOption, storageOption, ...confirmOptions, formatOption],
  examples: ['dokku pgbackup:delete shop shop-20261120T031500Z-k3f9'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const id = args.required(1);
    const consent = { confirm: args.text('confirm'), force: args.flag('force') };
    const { service, catalog } = await targetCatalog(ports, args);
    if (!(await deleteUnreadable(ports, service, catalog, id, consent)))
      await deleteBackup(ports, catalog, findBackup(catalog, service, id, ports.host.id), consent);
    const away = catalog.unread.map(({ storage }) => storage.name);
    if (output.options.json) output.json({ deleted: id, ...(away.length > 0 && { unread: away }) });
    else output.result(`Backup ${id} is deleted`, []);
    if (away.length > 0) {
      throw new PgbackupError('partial', `Whether ${away.join(' and ')} had a copy of ${id} is not known: it could not be read`, {
        hint: `When it answers again, look: dokku pgbackup:list ${service}`,
      });
    }
  },
};
