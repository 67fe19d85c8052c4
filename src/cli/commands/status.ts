import { publishStatus } from '../../app/metrics.ts';
import { announceOverdueOf } from '../../app/overdue-notices.ts';
import { resolveCatalogName } from '../../app/resolve.ts';
import { readStatus, type ServiceStatus } from '../../app/status.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { formatAge, formatBytes, formatTime } from '../../domain/format.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';

export const status: CommandSpec = {
  verb: 'status',
  args: '[target]',
  summary: 'Tell whether every schedule has the backup it should have',
  details:
    'Without a target: of every service of this host that has a schedule or backups. For monitoring systems: what is wrong is ' +
    'told in words, and by the exit code. Wrong is: a schedule that lacks a proven backup since it was last due (plus ' +
    'overdue-grace), a last backup that failed, a newest backup that is not in all of its storages, a storage or manifest ' +
    'that cannot be read, an operation that was cut off, a service without backup and schedule.\n\n' +
    'Exit codes: 0 all is well, 3 something is wrong, any other: it could not be found out.',
  options: [
    serviceOption,
    { flags: '--notify', summary: 'tell the webhooks what is overdue: each schedule once until it recovers' },
    formatOption,
  ],
  examples: ['dokku pgbackup:status', 'dokku pgbackup:status shop --format json'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const target = args.optional(0);
    const service = args.text('service');
    if (target === undefined && service !== undefined) throw new PgbackupError('usage', 'Give a target beside --service');
    if (target !== undefined && args.flag('notify'))
      throw new PgbackupError('usage', '--notify looks at all services: give no target with it');
    const { entries } = await ports.schedules.list();
    const only =
      target === undefined
        ? undefined
        : await resolveCatalogName(ports, { target, ...(service !== undefined && { service }) }, (name) =>
            entries.some((entry) => entry.service === name),
          );
    const found = await readStatus(ports, only);
    if (args.flag('notify'))
      await announceOverdueOf(
        ports,
        found.flatMap((one) => one.schedules),
      );
    await publishStatus(ports, found, only === undefined);
    const now = ports.clock.now();
    if (output.options.json) output.json(only === undefined ? found.map((one) => plain(one, now)) : found.map((one) => plain(one, now))[0]);
    else if (found.length === 0) output.detail('No service of this host has a schedule or a backup');
    else
      for (const one of found)
        output.result(`${one.service}: ${one.problems.length === 0 ? 'all is well' : 'not well'}`, linesOf(one, now));
    const ill = found.filter(({ problems }) => problems.length > 0);
    if (ill.length > 0) {
      const [first] = ill;
      throw new PgbackupError(
        'partial',
        ill.length === 1
          ? `${first?.service}: ${first?.problems[0]}`
          : `${ill.length} of ${found.length} services are not well: ${ill.map((one) => one.service).join(', ')}`,
        { hint: `What was tried and how it ended: dokku pgbackup:log ${first?.service}` },
      );
    }
  },
};

function linesOf(one: ServiceStatus, now: Date): [string, string][] {
  const { newest, lastFailure, unfinished, previous } = one;
  return [
    ...one.problems.map((problem): [string, string] => ['Wrong', problem.split('\n')[0] ?? '']),
    [
      'Newest',
      newest
        ? `${newest.manifest.id}, ${formatBytes(newest.manifest.archive.storedBytes)}, ${formatAge(now, new Date(newest.manifest.startedAt))} ago`
        : '-',
    ],
    ['Backups', String(one.backups)],
    ...one.schedules.map(({ entry, state, nextDue }): [string, string] => [
      'Schedule',
      `${entry.id} "${entry.cron}" is ${state}, next due ${nextDue ? formatTime(nextDue.toISOString()) : 'never'}`,
    ]),
    ...(lastFailure
      ? [['Last failure', `${formatTime(lastFailure.time)}: ${lastFailure.message.split('\n')[0]}`] as [string, string]]
      : []),
    ...(unfinished?.running ? [['Under way', unfinished.id] as [string, string]] : []),
    ...(previous ? [['Previous', `${previous.database}, kept until ${formatTime(previous.until)}`] as [string, string]] : []),
  ];
}

/** As JSON shows it. */
function plain(one: ServiceStatus, now: Date): unknown {
  const { newest, lastFailure } = one;
  return {
    service: one.service,
    well: one.problems.length === 0,
    problems: one.problems,
    backups: one.backups,
    newest: newest
      ? {
          id: newest.manifest.id,
          startedAt: newest.manifest.startedAt,
          ageSeconds: Math.round((now.getTime() - Date.parse(newest.manifest.startedAt)) / 1000),
          storedBytes: newest.manifest.archive.storedBytes,
          storages: newest.copies.map(({ name }) => name),
        }
      : null,
    schedules: one.schedules.map(({ entry, state, newest: counted, missedSince, overdueAt, nextDue }) => ({
      id: entry.id,
      cron: entry.cron,
      state,
      newestAt: counted?.toISOString() ?? null,
      missedSince: missedSince?.toISOString() ?? null,
      overdueAt: overdueAt?.toISOString() ?? null,
      nextDue: nextDue?.toISOString() ?? null,
    })),
    lastFailure: lastFailure ? { time: lastFailure.time, message: lastFailure.message } : null,
    behind: one.behind,
    unfinished: one.unfinished ?? null,
    previous: one.previous ? { database: one.previous.database, until: one.previous.until } : null,
  };
}
