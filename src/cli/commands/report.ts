import { reportServices } from '../../app/report.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';
import { formatBytes, formatTime } from '../../domain/format.ts';

export const report: CommandSpec = {
  verb: 'report',
  args: '[target]',
  summary: 'Show settings and the state of the backups of a service',
  details: 'Without a target: of every service that has backups here.',
  options: [serviceOption, formatOption],
  examples: ['dokku pgbackup:report shop', 'dokku pgbackup:report shop --format json'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const service = args.text('service');
    const target = args.optional(0);
    const reports = await reportServices(ports, target === undefined ? undefined : { target, ...(service !== undefined && { service }) });
    if (output.options.json) return output.json(target === undefined ? reports : reports[0]);
    for (const one of reports) {
      output.line(`=====> ${one.service} pgbackup information`);
      const lines: [string, string][] = [
        ...one.settings.map(({ key, effective }): [string, string] => [key.replaceAll('-', ' '), effective]),
        ...one.storages.map(({ name, place, backups, lacks }): [string, string] => [
          `storage ${name}`,
          `${place} (${backups === undefined ? 'cannot be read now' : `${backups} backups`}${lacks.length > 0 ? `, lacks ${lacks.join(', ')}` : ''})`,
        ]),
        ['backups', String(one.backups)],
        ['stored bytes', formatBytes(one.storedBytes)],
        ['newest backup', one.newest ?? ''],
        ['previous database', one.previous ? `${one.previous.database} until ${formatTime(one.previous.until)}` : ''],
        ['unfinished', one.unfinished ?? ''],
      ];
      const width = Math.max(...lines.map(([label]) => label.length)) + 'Pgbackup : '.length;
      for (const [label, value] of lines) output.line(`       ${`Pgbackup ${label}:`.padEnd(width)} ${value}`.trimEnd());
    }
  },
};
