import { checkStorage } from '../../app/storage-check.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { parseStorageName } from '../../domain/storage-name.ts';
import type { StorageFinding } from '../../ports.ts';
import { formatOption, type CommandSpec } from '../spec.ts';

const marks = { ok: 'yes', missing: 'no', denied: 'denied', unknown: '?' } as const;

/** A bucket without versions is in order, and has none all the same. */
function markOf(state: StorageFinding['state'], detail: string): string {
  return state === 'ok' && detail.startsWith('off') ? 'no' : marks[state];
}

export const storageCheck: CommandSpec = {
  verb: 'storage-check',
  args: '<name>',
  summary: 'Find out what a storage can do',
  details:
    'Writes, reads, lists and deletes small objects of its own there, and tells what works and what does not. Keys that may only write are enough ' +
    'for backups; to list, restore and prune, others are needed. Ends with exit code 7 when no backup can be taken to it.',
  options: [formatOption],
  examples: ['dokku pgbackup:storage-check offsite', 'dokku pgbackup:storage-check local'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const name = parseStorageName(args.required(0));
    const { place, findings } = await checkStorage(ports, name);
    const lacking = findings.filter(({ required, state }) => required && state !== 'ok');
    if (output.options.json) output.json({ name, place, usable: lacking.length === 0, findings });
    else
      output.table(
        ['CAN', '', 'WHAT IT MEANS'],
        findings.map(({ title, state, detail }) => [title, markOf(state, detail), detail]),
      );
    if (lacking.length > 0)
      throw new PgbackupError('storage', `No backup can be taken to ${name}: ${lacking.map(({ title }) => title).join(', ')}`, {
        hint: lacking[0]?.detail ?? '',
      });
    if (!output.options.json && !output.options.quiet) output.line(`=====> Backups can be taken to ${name} (${place})`);
  },
};
