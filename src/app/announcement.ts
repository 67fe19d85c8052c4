import { PgbackupError } from '../domain/errors.ts';
import { isServiceName } from '../domain/names.ts';
import type { Service } from '../domain/service.ts';
import { updateMetrics, type MetricsPorts } from './metrics.ts';
import { announce, announceStart, isOfInterest, type Ended, type NoticePorts } from './notices.ts';

export type AnnouncementPorts = NoticePorts & MetricsPorts;

/** What is told of an operation: that it begins, while it goes on, and how it ended, when this is disposed of. */
export interface Announcement extends AsyncDisposable {
  begin(id: string, startedAt: Date): void;
  end(end: Ended['end']): void;
}

/** Nothing is told of an operation that never began, or never ended. */
export function openAnnouncement(
  ports: AnnouncementPorts,
  service: Service,
  operation: string,
  schedule: string | null = null,
): Announcement {
  let begun: { readonly id: string; readonly startedAt: Date; readonly told: Promise<void> } | undefined;
  let end: Ended['end'] | undefined;
  return {
    begin: (id, startedAt) => void (begun = { id, startedAt, told: announceStart(ports, service.name, operation) }),
    end: (how) => void (end = how),
    [Symbol.asyncDispose]: async () => {
      if (!begun) return;
      // In this order: a monitor that hears of the end first would take the beginning for a new one.
      await begun.told;
      const { id, startedAt } = begun;
      if (end) await tellEnd(ports, { service: service.name, operation, schedule, id, startedAt, end, secrets: [service.login.password] });
    },
  };
}

/** Tells endpoints and the textfile how an operation ended. Never throws. */
export async function tellEnd(ports: AnnouncementPorts, ended: Ended): Promise<void> {
  const { service, operation, end, startedAt } = ended;
  if (!isOfInterest(ended)) return;
  const failedAt = operation === 'backup' && 'error' in end ? startedAt : undefined;
  await Promise.all([announce(ports, ended), isServiceName(service) ? updateMetrics(ports, service, failedAt) : undefined]);
}

/**
 * Tells that an operation failed before its service was found. A name that Dokku does not know, and that has no
 * settings either, is a slip of the pen; one that has them is a service that is gone. Never throws.
 */
export async function tellUnresolved(
  ports: AnnouncementPorts,
  failed: { readonly target: string; readonly operation: string; readonly startedAt: Date; readonly error: unknown },
): Promise<void> {
  const { target, operation, startedAt, error } = failed;
  if (error instanceof PgbackupError && error.code === 'not-found') {
    const known = isServiceName(target) && (await ports.settings.read(target).catch(() => new Map())).size > 0;
    if (!known) return;
  }
  await tellEnd(ports, { service: target, operation, id: null, startedAt, end: { error }, secrets: [] });
}
