import { adopt as takeOver, type AdoptResult } from '../../app/adopt.ts';
import { parseRecipients } from '../../domain/recipients.ts';
import { parseStorageName } from '../../domain/storage-name.ts';
import type { Output } from '../output.ts';
import { formatLocalTime, formatRows, formatSize } from '../present.ts';
import { confirmOptions, formatOption, serviceOption, type CommandSpec } from '../spec.ts';

export const adopt: CommandSpec = {
  verb: 'adopt',
  args: '<target>',
  summary: 'Take over what dokku-postgres backs up by schedule',
  details:
    'Reads how dokku-postgres backs the service up (backup-auth, backup-schedule, backup-set-encryption), shows what will be set up here to do the ' +
    'same, and once its name is typed does it: a storage with the same keys or IAM role, the settings, the schedule, a first backup. Only when that is ' +
    'stored and proven is the old schedule removed. When anything fails it stays, and the command can be repeated.\n\n' +
    'A passphrase for gpg becomes one for age. A public key of gpg cannot: give --recipients. The old backups stay in the bucket, are listed, and restore.',
  options: [
    serviceOption,
    { flags: '--dry-run', summary: 'show what would be done; change nothing' },
    { flags: '--keep-old', summary: 'leave the schedule of dokku-postgres' },
    { flags: '--storage <storage>', summary: 'name of the storage; default: that of the service with -s3' },
    { flags: '--region <region>', summary: 'region of the bucket, where dokku-postgres has none set' },
    { flags: '--schedule <cron>', summary: 'another schedule than the old one' },
    { flags: '--recipients <keys>', summary: 'public keys of age that backups are encrypted to, with commas between them' },
    { flags: '--without-encryption', summary: 'do not encrypt, though dokku-postgres does' },
    ...confirmOptions,
    formatOption,
  ],
  examples: [
    'dokku pgbackup:adopt shop --dry-run',
    'dokku pgbackup:adopt shop',
    'dokku pgbackup:adopt shop --region eu-west-2 --recipients age1… --confirm shop',
  ],
  run: async ({ output, ports: open, version }, args) => {
    const service = args.text('service');
    const [storage, recipients] = [args.text('storage'), args.text('recipients')];
    const request = {
      target: args.required(0),
      ...(service !== undefined && { service }),
      storage: storage === undefined ? undefined : parseStorageName(storage),
      region: args.text('region'),
      cron: args.text('schedule'),
      recipients: recipients === undefined ? [] : parseRecipients(recipients),
      withoutEncryption: args.flag('withoutEncryption'),
      keepOld: args.flag('keepOld'),
      dryRun: args.flag('dryRun'),
      confirm: args.text('confirm'),
      force: args.flag('force'),
      toolVersion: version,
    };
    const ports = await open();
    const result = await takeOver(ports, request);
    if (output.options.json) output.json({ ...result, timeZone: ports.host.timeZone });
    else present(output, result, ports.host.timeZone);
  },
};

function present(output: Output, result: AdoptResult, timeZone: string): void {
  if (result.kind === 'planned') {
    if (!output.options.quiet) output.line('=====> Dry run: nothing has been changed; without --dry-run the adoption would go on');
    return;
  }
  const { plan, manifest, places, next, oldSchedule, old } = result;
  const { service } = plan;
  output.result(`${service} is taken over from dokku-postgres`, [
    ['First backup', `${manifest.id}, stored and proven`],
    ['Size', formatSize(manifest)],
    ['Rows', formatRows(manifest)],
    ...places.map((place): [string, string] => ['Lies in', place]),
    ...(next === undefined ? [] : [['Next', formatLocalTime(next, timeZone)] as const]),
    ['Old schedule', oldSchedule === 'removed' ? 'removed' : `kept; to end it: dokku postgres:backup-unschedule ${service}`],
    ['Old backups', old === undefined ? 'none was found in the bucket' : `${old.count}, shown by: dokku pgbackup:list ${service}`],
    ...(old === undefined ? [] : [['Restore one', `dokku pgbackup:restore ${service} ${old.newest}`] as const]),
  ]);
}
