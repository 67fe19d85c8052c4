import { removeSchedules } from '../../app/schedules.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';

export const unschedule: CommandSpec = {
  verb: 'unschedule',
  args: '<target> [id]',
  summary: 'End a schedule',
  details: 'Its backups stay. Without an id: the only schedule of the service.',
  options: [serviceOption, { flags: '--all', summary: 'all schedules of the service' }, formatOption],
  examples: ['dokku pgbackup:unschedule shop', 'dokku pgbackup:unschedule shop k3f9', 'dokku pgbackup:unschedule shop --all'],
  run: async ({ output, ports }, args) => {
    const service = args.text('service');
    const id = args.optional(1);
    if (id !== undefined && args.flag('all')) throw new PgbackupError('usage', 'Give either an id or --all');
    const gone = await removeSchedules(await ports(), {
      target: args.required(0),
      ...(service !== undefined && { service }),
      id,
      all: args.flag('all'),
    });
    if (output.options.json) return output.json(gone);
    if (output.options.quiet) return;
    if (gone.length === 0) output.line('=====> The damaged schedules are gone');
    for (const entry of gone) output.line(`=====> ${entry.service} is no longer backed up at "${entry.cron}" (${entry.id})`);
  },
};
