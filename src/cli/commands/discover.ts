import { type DiscoveredService, discoverBackups } from '../../app/discover.ts';
import { formatBytes, formatCount, formatTime } from '../../domain/format.ts';
import { parseStorageName } from '../../domain/storage-name.ts';
import { formatOption, type CommandSpec } from '../spec.ts';

export const discover: CommandSpec = {
  verb: 'discover',
  args: '<storage>',
  summary: 'List every service and backup in a storage',
  details:
    'Of every host that has ever written there: on a new host, this tells what can be restored. Backups of other hosts are taken by their id, ' +
    'and never pruned here. Objects of dokku-postgres (postgres-<service>-<time>.tgz) are shown, too.',
  options: [{ flags: '--backups', summary: 'every backup, not only the newest of each service' }, formatOption],
  examples: ['dokku pgbackup:discover offsite', 'dokku pgbackup:discover offsite --backups'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const name = parseStorageName(args.required(0));
    const found = await discoverBackups(ports, name);
    for (const problem of found.problems) output.warn(problem);
    if (output.options.json) return output.json(found);
    const { place, services, foreign } = found;
    if (services.length + foreign.length === 0) {
      output.detail(`No backups in ${place}`);
      if (found.problems.length === 0) output.warn(whereElse(name, found.elsewhere));
      return;
    }
    if (services.length > 0 && !args.flag('backups'))
      output.table(
        ['SERVICE', 'HOST', 'BACKUPS', 'OLDEST', 'NEWEST', 'SIZE', 'NEWEST ID'],
        services.map((one) => [
          one.service,
          one.own ? `${one.host} (this one)` : one.host,
          formatCount(one.backups.length),
          formatTime(one.oldest),
          formatTime(one.newest),
          formatBytes(one.storedBytes),
          one.backups.at(-1)?.id ?? '',
        ]),
      );
    if (services.length > 0 && args.flag('backups'))
      output.table(
        ['ID', 'HOST', 'TAKEN', 'SIZE', 'ROWS', 'ENCRYPTED'],
        services.flatMap((one) =>
          one.backups.map(({ id, taken, storedBytes, rows, encrypted }) => [
            id,
            one.host,
            formatTime(taken),
            formatBytes(storedBytes),
            formatCount(rows),
            encrypted ? 'yes' : 'no',
          ]),
        ),
      );
    if (foreign.length > 0)
      output.table(
        ['OF DOKKU-POSTGRES', 'SERVICE', 'TAKEN'],
        foreign.map(({ address, service, taken }) => [address, service, formatTime(taken)]),
      );
    if (output.options.quiet) return;
    const newest = services.at(-1)?.backups.at(-1);
    output.line('');
    output.detail(
      newest === undefined
        ? `Restore one: dokku pgbackup:restore ${foreign.at(-1)?.service ?? '<service>'} ${foreign.at(-1)?.address ?? ''} --storage ${name}`
        : `Restore one: dokku postgres:create <service>, then dokku pgbackup:restore ${services.at(-1)?.service} ${newest.id} --storage ${name} --into <service>${keyOf(newest)}`,
    );
  },
};

/** What opens a backup comes by standard input, where no question can be answered then. */
function keyOf({ encrypted, passphrase }: DiscoveredService['backups'][number]): string {
  if (!encrypted) return '';
  return passphrase ? ' --passphrase-file - --confirm <service> < passphrase.txt' : ' --identity - --confirm <service> < key.txt';
}

function whereElse(name: string, elsewhere: readonly string[]): string {
  const anew = (prefix: string): string => `dokku pgbackup:storage-create ${name} s3 … --prefix ${prefix} --replace`;
  const [one] = elsewhere;
  return one === undefined
    ? `Are these the bucket and the prefix that the backups went to (dokku pgbackup:storage-list)? Another prefix: ${anew('<prefix>')}`
    : `There are backups below ${elsewhere.join(', ')}: set the storage up with its prefix: ${anew(one)}`;
}
