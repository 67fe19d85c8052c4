import { downloadBackup } from '../../app/download.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { serviceOption, type CommandSpec } from '../spec.ts';
import { targetBackup } from './catalog-target.ts';

export const download: CommandSpec = {
  verb: 'download',
  args: '<target> [id]',
  summary: 'Write the archive of a backup to standard output',
  details:
    'Without an id: the newest one. The archive is a pg_dump custom archive, which pg_restore reads without this plugin ' +
    '(one whose name ends in .zst: zstd -d first). It is compared with its checksum on the way.',
  options: [serviceOption],
  examples: ['dokku pgbackup:download shop > shop.dump', 'ssh dokku@host pgbackup:download shop > shop.dump'],
  run: async ({ output, ports }, args) => {
    // A terminal would mangle the bytes, and the bytes the terminal.
    if (process.stdout.isTTY)
      throw new PgbackupError('usage', 'The archive is not for a terminal', {
        hint: `Send it to a file: dokku pgbackup:download ${args.required(0)} > file.dump`,
      });
    output.stepsToStderr = true;
    const { entry } = await targetBackup(await ports(), args);
    await downloadBackup(entry, process.stdout);
  },
};
