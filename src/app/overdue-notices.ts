import { messageOf } from '../domain/errors.ts';
import { noticeRequests } from '../domain/notice.ts';
import type { Ports } from '../ports.ts';
import { readCatalog } from './catalog.ts';
import { readNoticeSettings, send, type NoticePorts, withoutBackup } from './notices.ts';
import { schedulesHealth, type EntryHealth, type ProvenBackup } from './overdue.ts';
import { describeHealth, provenBackups } from './status.ts';
import { openStorages } from './storages.ts';

export type OverduePorts = NoticePorts & Pick<Ports, 'schedules' | 'storages' | 'monitoring' | 'log'>;

/**
 * Tells the webhooks of every schedule of this host that is overdue, each once until it has recovered. A scheduled run
 * does so when it has ended: so one that cron forgets is told of by the others. Never throws.
 */
export async function announceOverdue(ports: OverduePorts): Promise<void> {
  try {
    await tellOverdue(ports, await findOverdue(ports));
  } catch (error) {
    ports.reporter.warn(`Whether other schedules are overdue could not be told: ${messageOf(error)}`);
  }
}

/** The same of what a status has found; it is the health of all schedules, or recovered ones are told anew. Never throws. */
export async function announceOverdueOf(ports: OverduePorts, health: readonly EntryHealth[]): Promise<void> {
  try {
    await tellOverdue(ports, health.filter(isOverdue));
  } catch (error) {
    ports.reporter.warn(`What is overdue could not be told: ${messageOf(error)}`);
  }
}

function isOverdue({ state }: EntryHealth): boolean {
  return state === 'overdue' || state === 'never';
}

/**
 * First by the log, which is here, and only where that shows no backup by the storages, which may be far away and many:
 * this is done at the end of every scheduled run.
 */
async function findOverdue(ports: OverduePorts): Promise<readonly EntryHealth[]> {
  const { entries } = await ports.schedules.list();
  const everywhere = [...new Set(entries.flatMap(({ storages }) => storages ?? []))];
  const logged = (await ports.log.read())
    .filter(({ operation, outcome }) => operation === 'backup' && outcome !== 'failed')
    .map(({ service, time }): ProvenBackup => ({ service, startedAt: time, storages: everywhere }));
  // The log does not say where a backup went: it is no answer for a schedule of certain storages.
  const suspects = (await schedulesHealth(ports, logged)).filter((one) => isOverdue(one) || one.entry.storages !== null);
  const services = [...new Set(suspects.map(({ entry }) => entry.service))];
  const found = await Promise.all(
    services.map(async (service) => {
      try {
        return provenBackups(ports, await readCatalog(await openStorages(ports, service), service));
      } catch {
        // A storage that is away is told of by whoever needs it; here the log must do.
        return logged.filter((backup) => backup.service === service);
      }
    }),
  );
  return (await schedulesHealth(ports, found.flat())).filter((one) => services.includes(one.entry.service) && isOverdue(one));
}

async function tellOverdue(ports: OverduePorts, overdue: readonly EntryHealth[]): Promise<void> {
  const told = await ports.monitoring.toldOverdue();
  const kept: string[] = [];
  for (const health of overdue) {
    const key = `${health.entry.service}/${health.entry.id}`;
    // One that nobody has heard is told again.
    if (told.includes(key) || (await tell(ports, health))) kept.push(key);
  }
  if (kept.join() !== told.join()) await ports.monitoring.keepToldOverdue(kept);
}

/** @returns whether somebody has heard. */
async function tell(ports: NoticePorts, health: EntryHealth): Promise<boolean> {
  const { entry, missedSince } = health;
  const { settings } = await readNoticeSettings(ports, entry.service);
  const notice = withoutBackup(ports, {
    event: 'overdue',
    operation: 'status',
    outcome: 'overdue',
    service: entry.service,
    schedule: entry.id,
    ...(missedSince && { startedAt: missedSince.toISOString() }),
    message: describeHealth(health).join(),
  });
  const outcomes = await send(ports, noticeRequests(settings, notice, ports.notifier.version), settings.timeout);
  return outcomes.length > 0 && outcomes.every(({ ok }) => ok);
}
