import { addSchedule } from '../../app/schedules.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { parseLabels } from '../parse.ts';
import { formatLabels, formatLocalTime } from '../present.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';
import { storagesOption } from './catalog-target.ts';

export const schedule: CommandSpec = {
  verb: 'schedule',
  args: '<target> [cron]',
  excess: 'The five fields are one argument, in quotes: dokku pgbackup:schedule <target> "0 */6 * * *"',
  summary: "Take backups at set times by Dokku's cron",
  details:
    'Five fields as in a crontab (minute, hour, day of month, month, day of week), or @hourly, @daily, @weekly, @monthly. Times are ' +
    "those of the host's time zone. A service may have several. It is done only when user dokku's crontab has the line.\n\n" +
    'An app stands for its service: the schedule stays with that, also when the app is renamed, unlinked or destroyed, and ends ' +
    'with the service. A run that comes due while another operation works on the service waits its turn.',
  options: [
    serviceOption,
    { flags: '--storage <storage>', summary: 'only to this storage', repeats: true },
    { flags: '--label <key=value>', summary: 'a label of its backups', repeats: true },
    formatOption,
  ],
  examples: ['dokku pgbackup:schedule shop "0 */6 * * *"', 'dokku pgbackup:schedule shop @daily --storage offsite --label kind=daily'],
  run: async ({ output, ports: open }, args) => {
    const target = args.required(0);
    const text = args.optional(1);
    if (text === undefined)
      throw new PgbackupError('usage', 'Say when', { hint: `Every six hours: dokku pgbackup:schedule ${target} "0 */6 * * *"` });
    const service = args.text('service');
    const request = {
      target,
      ...(service !== undefined && { service }),
      text,
      storages: storagesOption(args) ?? null,
      labels: parseLabels(args.list('label')),
    };
    const ports = await open();
    const { entry, added, next } = await addSchedule(ports, request);
    if (output.options.json) return output.json({ ...entry, added, next, timeZone: ports.host.timeZone });
    if (output.options.quiet) return output.line(entry.id);
    output.result(added ? `${entry.service} is backed up at "${entry.cron}"` : `${entry.service} has this schedule already`, [
      ['Schedule', entry.id],
      ...next.map((time): [string, string] => ['Next', formatLocalTime(time, ports.host.timeZone)]),
      ...(entry.storages ? [['Storages', entry.storages.join(', ')] as const] : []),
      ...(Object.keys(entry.labels).length > 0 ? [['Labels', formatLabels(entry.labels)] as const] : []),
      ['End it', `dokku pgbackup:unschedule ${entry.service} ${entry.id}`],
    ]);
  },
};
