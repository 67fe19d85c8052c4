import { messageOf } from '../domain/errors.ts';
import type { ServiceFigures } from '../domain/figures.ts';
import { formatMetrics } from '../domain/metrics.ts';
import { isServiceName, type ServiceName } from '../domain/names.ts';
import { checkedValues } from '../domain/settings.ts';
import type { Ports } from '../ports.ts';
import { readCatalog, hostOf, type CatalogEntry } from './catalog.ts';
import { schedulesHealth, type EntryHealth, type ProvenBackup } from './overdue.ts';
import type { ServiceStatus } from './status.ts';
import { openStorages } from './storages.ts';

export type MetricsPorts = Pick<Ports, 'clock' | 'settings' | 'storages' | 'schedules' | 'monitoring' | 'host' | 'reporter'>;

/**
 * Writes the textfile anew after an operation on a service, if there is a directory for it. Never throws: a failure is a
 * warning. @param failedAt when the operation was a backup and failed.
 */
export async function updateMetrics(ports: MetricsPorts, service: ServiceName, failedAt: Date | undefined): Promise<void> {
  await publishing(ports, async (directory) => {
    const { entries } = await readCatalog(await openStorages(ports, service), service);
    const own = entries.filter((entry) => hostOf(entry) === ports.host.id);
    const before = (await ports.monitoring.figures()).find((figures) => figures.service === service);
    await ports.monitoring.keepFigures(service, figuresOf(service, own, failedAt?.toISOString() ?? before?.failedAt ?? null));
    const figures = await ports.monitoring.figures();
    await publish(ports, directory, figures, await schedulesHealth(ports, figures.flatMap(backupsIn)));
  });
}

/** The same from what a status has found. @param all the status of every service: figures of others are forgotten then. */
export async function publishStatus(ports: MetricsPorts, found: readonly ServiceStatus[], all: boolean): Promise<void> {
  await publishing(ports, async (directory) => {
    const before = await ports.monitoring.figures();
    for (const { service, entries, lastFailure } of found)
      await ports.monitoring.keepFigures(service, figuresOf(service, entries, lastFailure?.time ?? null));
    const names = new Set<string>(found.map(({ service }) => service));
    if (all)
      for (const { service } of before)
        if (!names.has(service) && isServiceName(service)) await ports.monitoring.keepFigures(service, undefined);
    const figures = await ports.monitoring.figures();
    await publish(ports, directory, figures, await schedulesHealth(ports, figures.flatMap(backupsIn)));
  });
}

async function publish(
  ports: MetricsPorts,
  directory: string,
  figures: readonly ServiceFigures[],
  health: readonly EntryHealth[],
): Promise<void> {
  const schedules = health.map(({ entry, state, overdueAt }) => ({
    service: entry.service,
    schedule: entry.id,
    overdue: state === 'overdue' || state === 'never',
    overdueAt,
  }));
  await ports.monitoring.publish(directory, formatMetrics(figures, schedules));
}

async function publishing(ports: MetricsPorts, work: (directory: string) => Promise<void>): Promise<void> {
  try {
    const directory = checkedValues(new Map(), await ports.settings.read('--global'))('textfile-dir');
    if (directory !== '') await work(directory);
  } catch (error) {
    ports.reporter.warn(`The textfile for Prometheus was not written: ${messageOf(error)}`);
  }
}

function figuresOf(service: ServiceName, entries: readonly CatalogEntry[], failedAt: string | null): ServiceFigures {
  const whole = entries.filter(({ manifest }) => manifest.schemas.length === 0);
  const newest = whole.at(-1)?.manifest;
  const newestIn: Record<string, string> = {};
  for (const { manifest, copies } of whole) for (const { name } of copies) newestIn[name] = manifest.startedAt;
  return {
    service,
    backups: entries.length,
    startedAt: newest?.startedAt ?? null,
    finishedAt: newest?.finishedAt ?? null,
    storedBytes: newest?.archive.storedBytes ?? null,
    newestIn,
    failedAt,
  };
}

function backupsIn({ service, newestIn }: ServiceFigures): ProvenBackup[] {
  return Object.entries(newestIn).map(([storage, startedAt]) => ({ service, startedAt, storages: [storage] }));
}
