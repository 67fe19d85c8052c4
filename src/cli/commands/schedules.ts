import { listSchedules } from '../../app/schedules.ts';
import { formatLabels, formatLocalTime } from '../present.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';

export const schedules: CommandSpec = {
  verb: 'schedules',
  args: '[target]',
  summary: 'List schedules and when they run next',
  details: "Without a target: those of every service. Times are those of the host's time zone, by which cron goes.",
  options: [serviceOption, formatOption],
  examples: ['dokku pgbackup:schedules', 'dokku pgbackup:schedules shop --format json'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const target = args.optional(0);
    const service = args.text('service');
    const { timeZone } = ports.host;
    const found = await listSchedules(ports, target === undefined ? undefined : { target, ...(service !== undefined && { service }) });
    if (output.options.json)
      return output.json(
        found.map(({ entry, next, serviceExists, installed }) => ({ ...entry, next, timeZone, serviceExists, installed })),
      );
    if (found.length === 0)
      return output.detail(`Nothing is scheduled. Every six hours: dokku pgbackup:schedule ${target ?? '<target>'} "0 */6 * * *"`);
    const dash = (text: string): string => text || '-';
    output.table(
      ['ID', 'SERVICE', 'SCHEDULE', 'NEXT', 'THEN', 'STORAGES', 'LABELS'],
      found.map(({ entry, next: [first, second] }) => [
        entry.id,
        entry.service,
        entry.cron,
        first ? formatLocalTime(first, timeZone) : '-',
        second ? formatLocalTime(second, timeZone) : '-',
        dash(entry.storages?.join(',') ?? ''),
        formatLabels(entry.labels),
      ]),
    );
    for (const { entry, serviceExists, installed } of found) {
      if (!serviceExists)
        output.warn(
          `${entry.id}: there is no Postgres service ${entry.service}. To end it: dokku pgbackup:unschedule ${entry.service} --all`,
        );
      else if (!installed)
        output.warn(`${entry.id} is not in the crontab of user dokku, and will not run. To write it: plugn trigger scheduler-cron-write`);
    }
  },
};
