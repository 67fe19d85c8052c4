import { resolveService } from '../../app/resolve.ts';
import { formatTime } from '../../domain/format.ts';
import { formatSeconds } from '../present.ts';
import { parseNumber } from '../parse.ts';
import { formatOption, type CommandSpec } from '../spec.ts';

export const log: CommandSpec = {
  verb: 'log',
  args: '[target]',
  summary: 'Show what was done and how it ended',
  details: 'The last operations on this host, oldest first: backups, restores, undos, and what was cleaned up after a crash.',
  options: [{ flags: '--last <n>', summary: 'how many (default 20)' }, formatOption],
  examples: ['dokku pgbackup:log', 'dokku pgbackup:log shop --last 100'],
  run: async ({ output, ports }, args) => {
    const last = parseNumber(args.text('last'), '--last', 1, 100_000) ?? 20;
    const adapters = await ports();
    const all = await adapters.log.read();
    const target = args.optional(0);
    // A name in the log needs no Dokku to know it: the service may be gone.
    const logged = all.some((entry) => entry.service === target);
    const service = target === undefined || logged ? target : (await resolveService(adapters, { target })).name;
    const entries = all.filter((entry) => service === undefined || entry.service === service).slice(-last);
    if (output.options.json) return output.json(entries);
    if (entries.length === 0) return output.detail('Nothing has been done yet');
    output.table(
      ['TIME', 'SERVICE', 'OPERATION', 'OUTCOME', 'TOOK', 'ID', 'MESSAGE'],
      entries.map((entry) => [
        formatTime(entry.time),
        entry.service,
        entry.operation,
        entry.outcome,
        formatSeconds(entry.seconds),
        entry.id ?? '-',
        entry.message.split('\n')[0] ?? '',
      ]),
    );
  },
};
