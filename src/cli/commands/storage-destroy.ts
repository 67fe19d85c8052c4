import { destroyStorage } from '../../app/storage-setup.ts';
import { parseStorageName } from '../../domain/storage-name.ts';
import { confirmOptions, formatOption, type CommandSpec } from '../spec.ts';

export const storageDestroy: CommandSpec = {
  verb: 'storage-destroy',
  args: '<name>',
  summary: 'Forget a storage and its keys',
  details: 'The backups that lie there stay. One that a setting names is refused.',
  options: [...confirmOptions, formatOption],
  examples: ['dokku pgbackup:storage-destroy offsite'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const name = parseStorageName(args.required(0));
    await destroyStorage(ports, name, { confirm: args.text('confirm'), force: args.flag('force') });
    if (output.options.json) return output.json({ destroyed: name });
    output.result(`Storage ${name} is forgotten`, [['Its backups', 'stay where they are']]);
  },
};
