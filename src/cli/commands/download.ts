import { withKeptPassphrase } from '../../app/choose-source.ts';
import { downloadBackup } from '../../app/download.ts';
import { readKeys } from '../../app/keys.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { parseKeyFiles } from '../parse.ts';
import { keyOptions, serviceOption, storageOption, type CommandSpec } from '../spec.ts';
import { targetBackup } from './catalog-target.ts';

export const download: CommandSpec = {
  verb: 'download',
  args: '<target> [id]',
  summary: 'Write the archive of a backup to standard output',
  details:
    'Without an id: the newest one. The archive is a pg_dump custom archive, which pg_restore reads without this plugin ' +
    '(one whose name ends in .age: age -d first, or --decrypt here; in .zst: zstd -d first). It is compared with its checksum on the way.',
  options: [serviceOption, storageOption, { flags: '--decrypt', summary: 'write it as it was before it was encrypted' }, ...keyOptions],
  examples: ['dokku pgbackup:download shop > shop.dump', 'ssh dokku@host pgbackup:download shop > shop.dump'],
  run: async ({ output, ports }, args) => {
    // A terminal would mangle the bytes, and the bytes the terminal.
    if (process.stdout.isTTY)
      throw new PgbackupError('usage', 'The archive is not for a terminal', {
        hint: `Send it to a file: dokku pgbackup:download ${args.required(0)} > file.dump`,
      });
    output.stepsToStderr = true;
    const decrypt = args.flag('decrypt');
    const keyFiles = parseKeyFiles(args);
    if (!decrypt && (keyFiles.identities.length > 0 || keyFiles.passphrase !== undefined))
      throw new PgbackupError('usage', 'A key is given, but not asked for: add --decrypt');
    const opened = await ports();
    const { service, entry } = await targetBackup(opened, args);
    await downloadBackup(
      opened,
      entry,
      process.stdout,
      decrypt
        ? {
            encryption: opened.encryption,
            keys: await withKeptPassphrase(opened, service, await readKeys(opened, keyFiles)),
          }
        : undefined,
    );
  },
};
