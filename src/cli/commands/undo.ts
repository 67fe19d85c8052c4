import { formatGap, formatTime } from '../../domain/format.ts';
import { undo as undoRestore } from '../../app/undo.ts';
import { confirmOptions, formatOption, serviceOption, type CommandSpec } from '../spec.ts';

export const undo: CommandSpec = {
  verb: 'undo',
  args: '<target>',
  summary: 'Swap the database from before the last restore back in',
  details: 'Takes less than a second, whatever the size. The database that was live is kept in turn, so that an undo can be undone.',
  options: [serviceOption, ...confirmOptions, formatOption],
  examples: ['dokku pgbackup:undo shop'],
  run: async ({ output, ports }, args) => {
    const service = args.text('service');
    const result = await undoRestore(await ports(), {
      target: args.required(0),
      ...(service !== undefined && { service }),
      confirm: args.text('confirm'),
      force: args.flag('force'),
    });
    if (output.options.json) return output.json(result);
    output.result(`Database ${result.database} of ${result.service} is the one from before the last swap`, [
      ['Cut off', formatGap(result.gap)],
      ...(result.previous
        ? ([
            ['Other', `${result.previous.database}, kept until ${formatTime(result.previous.until)}`],
            ['Undo this', `dokku pgbackup:undo ${args.required(0)}`],
          ] as const)
        : []),
    ]);
  },
};
