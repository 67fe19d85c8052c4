import { createHash } from 'node:crypto';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import { parseServiceName, type ServiceName } from '../domain/names.ts';
import type { ScheduleEntry } from '../domain/schedule-entry.ts';
import { nextRuns } from '../domain/schedule-times.ts';
import { readSchedule } from '../domain/schedule.ts';
import { parseSettings, type Settings } from '../domain/settings.ts';
import type { Ports, Wait } from '../ports.ts';
import { tellEnd } from './announcement.ts';
import { announceOverdue, type OverduePorts } from './overdue-notices.ts';
import { createBackup, type BackupPorts, type BackupResult } from './backup.ts';

export interface ScheduledRequest {
  readonly service: string;
  /** Of the schedule. */
  readonly id: string;
  readonly toolVersion: string;
}

type ScheduledPorts = BackupPorts & OverduePorts & Pick<Ports, 'schedules' | 'slots' | 'pause'>;

/**
 * The backup that a schedule stands for, as cron asks for it. It waits for its place among the scheduled runs of this
 * host and for other operations on its service, but not until it is due again: then the next run has taken over.
 * Whatever becomes of it is in the log, also when it never began. In the end it tells of other schedules that are overdue.
 * @throws PgbackupError not-found (schedule or service), locked (waited in vain), and whatever a backup throws.
 */
export async function runScheduled(ports: ScheduledPorts, request: ScheduledRequest): Promise<BackupResult> {
  try {
    return await takeTurn(ports, request);
  } finally {
    if (!ports.signal.aborted) await announceOverdue(ports);
  }
}

async function takeTurn(ports: ScheduledPorts, request: ScheduledRequest): Promise<BackupResult> {
  const service = parseServiceName(request.service);
  const startedAt = ports.clock.now();
  let begun = false;
  try {
    const entry = await findEntry(ports, service, request.id);
    const settings = parseSettings(await ports.settings.read(service), await ports.settings.read('--global'));
    const { maxConcurrent } = parseSettings(new Map(), await ports.settings.read('--global'));
    await mustExist(ports, entry);
    ports.reporter.step(`Schedule ${entry.id} of ${service} ("${entry.cron}") is due: ${formatTime(startedAt.toISOString())}`);
    const jitter = jitterOf(ports.host.id, entry, settings);
    if (jitter > 0) {
      ports.reporter.detail(`It begins ${Math.round(jitter / 1000)} s later (schedule-jitter)`);
      await ports.pause(jitter, ports.signal);
    }
    const wait = waitOf(ports, entry, settings, startedAt, jitter);
    await using _place = await ports.slots.take(maxConcurrent, wait);
    return await createBackup(ports, {
      target: service,
      service,
      labels: entry.labels,
      note: null,
      schemas: [],
      ...(entry.storages && { storages: entry.storages }),
      toolVersion: request.toolVersion,
      scheduled: {
        wait,
        schedule: request.id,
        shares: { cpu: settings.scheduledCpuShares, io: settings.scheduledBlkioWeight },
        begun: () => (begun = true),
      },
    });
  } catch (error) {
    if (begun) throw error;
    const told = inVain(ports, service, request.id, error);
    const seconds = (ports.clock.now().getTime() - startedAt.getTime()) / 1000;
    const message = `scheduled (${request.id}): ${messageOf(told)}`;
    await ports.log.append({ time: startedAt.toISOString(), service, operation: 'backup', id: null, outcome: 'failed', seconds, message });
    await tellEnd(ports, { service, operation: 'backup', schedule: request.id, id: null, startedAt, end: { error: told }, secrets: [] });
    throw told;
  }
}

async function findEntry(ports: Pick<Ports, 'schedules'>, service: ServiceName, id: string): Promise<ScheduleEntry> {
  const { entries, problems } = await ports.schedules.list();
  const entry = entries.find((candidate) => candidate.service === service && candidate.id === id);
  if (entry) return entry;
  const damaged = problems.find((problem) => problem.service === service);
  if (damaged) throw damaged.error;
  throw new PgbackupError('not-found', `Service ${service} has no schedule ${id}`, {
    hint: `See those there are: dokku pgbackup:schedules. If cron still runs it, have its table written anew: plugn trigger scheduler-cron-write`,
  });
}

async function mustExist(ports: Pick<Ports, 'dokku'>, { service, id }: ScheduleEntry): Promise<void> {
  if (await ports.dokku.service(service)) return;
  throw new PgbackupError('not-found', `Schedule ${id} is of Postgres service ${service}, which does not exist`, {
    hint: `If it is gone for good: dokku pgbackup:unschedule ${service} --all`,
  });
}

/** Milliseconds, the same at each run: of many schedules for one time, each begins at its own moment. */
function jitterOf(host: string, { id, service }: ScheduleEntry, { scheduleJitter }: Settings): number {
  const share = createHash('sha256').update(`${host}/${service}/${id}`).digest().readUIntBE(0, 6) / 2 ** 48;
  return Math.floor(share * scheduleJitter * 1000);
}

function waitOf(
  ports: Pick<Ports, 'clock' | 'host' | 'reporter' | 'signal'>,
  entry: ScheduleEntry,
  settings: Settings,
  startedAt: Date,
  jitter: number,
): Wait {
  const next = nextRuns(readSchedule(entry.cron), startedAt, 1, ports.host.timeZone)[0];
  const longest = ports.clock.now().getTime() + settings.scheduleWait * 1000;
  // The next run begins as much later as this one did.
  const until = new Date(next === undefined ? longest : Math.min(longest, next.getTime() + jitter));
  return {
    until,
    signal: ports.signal,
    waiting: (reason) => ports.reporter.detail(`${reason}. It waits, until ${formatTime(until.toISOString())} at the longest`),
  };
}

function inVain(ports: Pick<Ports, 'signal'>, service: ServiceName, id: string, error: unknown): unknown {
  if (ports.signal.aborted)
    return new PgbackupError('interrupted', `Interrupted: the scheduled backup of ${service} had not begun`, { cause: error });
  if (!(error instanceof PgbackupError) || error.code !== 'locked') return error;
  return new PgbackupError('locked', `The scheduled backup of ${service} (schedule ${id}) did not get its turn: ${error.message}`, {
    cause: error,
    hint: `It is taken at its next time. To let it wait longer: dokku pgbackup:set ${service} schedule-wait 3h`,
  });
}
