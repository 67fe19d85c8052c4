import { messageOf, PgbackupError } from '../domain/errors.ts';
import { isServiceName, type ServiceName } from '../domain/names.ts';
import { commandOf, isSameSchedule, type ScheduleEntry } from '../domain/schedule-entry.ts';
import { nextRuns } from '../domain/schedule-times.ts';
import { parseSchedule, readSchedule } from '../domain/schedule.ts';
import type { StorageName } from '../domain/storage-name.ts';
import type { Ports } from '../ports.ts';
import { resolveService, type Target } from './resolve.ts';

type SchedulePorts = Pick<Ports, 'clock' | 'dokku' | 'schedules' | 'cron' | 'host' | 'reporter'>;

export interface ScheduleRequest extends Target {
  /** As it was typed. */
  readonly text: string;
  readonly storages: readonly StorageName[] | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** How many times that come next are told. */
const told = 3;

/** A schedule and what can be said of it. */
export interface ScheduleReport {
  readonly entry: ScheduleEntry;
  readonly next: readonly Date[];
  /** False: it has been destroyed, or cannot be seen. */
  readonly serviceExists: boolean;
  /** False: cron does not know it, and it will not run. */
  readonly installed: boolean;
}

/**
 * Schedules backups of the service. Only when user dokku's crontab has the line it is done; else all is as it was before.
 * @returns `added` is false where the service has the very same schedule already.
 * @throws PgbackupError usage, not-found, damaged, dokku, storage, locked.
 */
export async function addSchedule(
  ports: SchedulePorts & Pick<Ports, 'storages'>,
  request: ScheduleRequest,
): Promise<{ readonly entry: ScheduleEntry; readonly added: boolean; readonly next: readonly Date[] }> {
  const schedule = await parseSchedule(request.text, request.target);
  const service = await resolveService(ports, request);
  // Better to hear of a wrong name now than at night.
  for (const name of request.storages ?? []) ports.storages.open(name, undefined);
  await using _lock = await ports.schedules.lock();
  const { entries, problems } = await ports.schedules.list();
  const damaged = problems.find((problem) => problem.service === service.name);
  if (damaged) throw damaged.error;
  const wanted: ScheduleEntry = {
    id: freshId(ports, entries),
    service: service.name,
    namedAs: request.target,
    cron: schedule.cron,
    storages: request.storages,
    labels: request.labels,
    createdAt: ports.clock.now().toISOString(),
  };
  const own = entries.filter((entry) => entry.service === service.name);
  const same = own.find((entry) => isSameSchedule(entry, wanted));
  // Also of one that is there: a command that was killed may have written it down and not come to the crontab.
  await change(ports, service.name, own, same ? own : [...own, wanted]);
  const entry = same ?? wanted;
  return { entry, added: !same, next: nextRuns(schedule, ports.clock.now(), told, ports.host.timeZone) };
}

/**
 * Ends schedules of a service: the one of that id, all, or the only one. @returns those that are gone.
 * @throws PgbackupError usage (which one?), not-found, dokku, storage, locked.
 */
export async function removeSchedules(
  ports: SchedulePorts,
  request: Target & { readonly id: string | undefined; readonly all: boolean },
): Promise<readonly ScheduleEntry[]> {
  await using _lock = await ports.schedules.lock();
  const { entries, problems } = await ports.schedules.list();
  const service = await resolveScheduled(ports, request, entries, problems);
  const own = entries.filter((entry) => entry.service === service);
  const going = request.all ? own : own.filter((entry) => (request.id === undefined ? own.length === 1 : entry.id === request.id));
  const damaged = problems.find((problem) => problem.service === service);
  if (damaged && !request.all) throw damaged.error;
  if (own.length === 0 && !damaged) throw new PgbackupError('not-found', `${service} has no schedules`);
  if (going.length === 0 && !damaged) {
    const list = own.map(({ id, cron }) => `${id} ("${cron}")`).join(', ');
    throw request.id === undefined
      ? new PgbackupError('usage', `${service} has several schedules: ${list}`, {
          hint: `Say which, or all: dokku pgbackup:unschedule ${request.target} --all`,
        })
      : new PgbackupError('not-found', `${service} has no schedule ${request.id}`, { hint: `It has: ${list}` });
  }
  await change(
    ports,
    service,
    own,
    own.filter((entry) => !going.includes(entry)),
  );
  return going;
}

/** The schedules of one service, or of all. What cannot be read is told as a warning. @throws PgbackupError not-found, usage, dokku. */
export async function listSchedules(ports: SchedulePorts, target: Target | undefined): Promise<readonly ScheduleReport[]> {
  const { entries, problems } = await ports.schedules.list();
  const service = target && (await resolveScheduled(ports, target, entries, problems));
  for (const problem of problems) if (service === undefined || problem.service === service) ports.reporter.warn(problem.error.message);
  const chosen = entries.filter((entry) => service === undefined || entry.service === service);
  if (chosen.length === 0) return [];
  const [services, tasks] = await Promise.all([ports.dokku.services(), ports.cron.installed()]);
  const now = ports.clock.now();
  return chosen.map((entry) => ({
    entry,
    next: nextRuns(readSchedule(entry.cron), now, told, ports.host.timeZone),
    serviceExists: services.includes(entry.service),
    installed: tasks.some((task) => task.schedule === entry.cron && task.command === commandOf(entry)),
  }));
}

/** As `resolveService`, but of a service or an app that is gone the schedules are still found. */
async function resolveScheduled(
  ports: Pick<Ports, 'dokku'>,
  target: Target,
  entries: readonly ScheduleEntry[],
  problems: readonly { readonly service: string }[],
): Promise<ServiceName> {
  const name = target.service ?? target.target;
  if (isServiceName(name) && [...entries, ...problems].some((one) => one.service === name)) return name;
  try {
    return (await resolveService(ports, target)).name;
  } catch (error) {
    const named = [...new Set(entries.filter((entry) => entry.namedAs === target.target).map((entry) => entry.service))];
    const [only, ...more] = named;
    if (only === undefined || more.length > 0) throw error;
    return only;
  }
}

function freshId(ports: Pick<Ports, 'clock'>, entries: readonly ScheduleEntry[]): string {
  for (;;) {
    const id = ports.clock.suffix();
    if (!entries.some((entry) => entry.id === id)) return id;
  }
}

/** Writes, has Dokku write the crontab, and looks. Where that does not show the change, it is undone. */
async function change(
  ports: Pick<Ports, 'schedules' | 'cron'>,
  service: ServiceName,
  before: readonly ScheduleEntry[],
  after: readonly ScheduleEntry[],
): Promise<void> {
  await ports.schedules.write(service, after);
  try {
    await ports.cron.apply();
    await mustBeInstalled(ports, service, after);
  } catch (cause) {
    await ports.schedules.write(service, before);
    // It fails for the same reason as before, most likely; the crontab is then what it was.
    await ports.cron.apply().catch(() => {});
    throw new PgbackupError('dokku', `The schedules of ${service} are what they were before: ${messageOf(cause)}`, {
      cause,
      hint: 'Dokku writes one crontab for all plugins, and a bad or blank line of one of them spoils it. Look at: dokku cron:list --global; as root: dokku plugin:trigger cron-entries docker-local',
    });
  }
}

async function mustBeInstalled(ports: Pick<Ports, 'cron'>, service: ServiceName, wanted: readonly ScheduleEntry[]): Promise<void> {
  const ours = (await ports.cron.installed()).filter(({ command }) => command.startsWith(`dokku pgbackup:run ${service} `));
  const missing = wanted.find((entry) => !ours.some((task) => task.schedule === entry.cron && task.command === commandOf(entry)));
  if (missing) throw new PgbackupError('dokku', `"${missing.cron}" was not written to the crontab of user dokku`);
  const left = ours.find((task) => !wanted.some((entry) => task.command === commandOf(entry)));
  if (left) throw new PgbackupError('dokku', `"${left.schedule} ${left.command}" is still in the crontab of user dokku`);
}
