import { messageOf, PgbackupError, type ErrorCode } from '../domain/errors.ts';
import {
  noticeRequests,
  scrub,
  startRequest,
  describeOutcome,
  type Notice,
  type NoticeOutcome,
  type NoticeRequest,
} from '../domain/notice.ts';
import { tokensIn } from '../domain/url.ts';
import type { CopyState } from '../domain/manifest.ts';
import { parseNoticeSettings, type NoticeSettings } from '../domain/notice-settings.ts';
import { isServiceName } from '../domain/names.ts';
import { checkedValues, settingRules } from '../domain/settings.ts';
import type { Ports } from '../ports.ts';

export type NoticePorts = Pick<Ports, 'settings' | 'notifier' | 'host' | 'reporter' | 'clock'>;

/** How an operation ended, for the log and for notices. */
export interface Described {
  readonly outcome: 'ok' | 'partial';
  /** One line. */
  readonly message: string;
  readonly storedBytes?: number;
  readonly databaseBytes?: number;
  readonly storages?: readonly CopyState[];
}

/** An operation that has ended. */
export interface Ended {
  readonly service: string;
  readonly operation: string;
  readonly id: string | null;
  readonly schedule?: string | null;
  readonly startedAt: Date;
  readonly end: { readonly described: Described } | { readonly error: unknown };
  /** What must not leave this host, beside the settings: the password of the service. */
  readonly secrets: readonly string[];
}

/** What success of an operation is called; nothing is told of others. */
const successEvents: Readonly<Partial<Record<string, Notice['event']>>> = {
  backup: 'success',
  restore: 'restore',
  undo: 'restore',
  prune: 'prune',
};

/**
 * Tells the endpoints of a service how an operation ended. Never throws and changes nothing: what cannot be told is
 * one warning (pitfall 47). Takes no longer than `notify-timeout`; call it when no lock is held.
 */
export async function announce(ports: NoticePorts, ended: Ended): Promise<void> {
  if (!isOfInterest(ended)) return;
  await quietly(ports, async () => {
    const { settings, secrets } = await readNoticeSettings(ports, ended.service);
    const notice = noticeOf(ports, ended, [...secrets, ...ended.secrets]);
    await send(ports, noticeRequests(settings, notice, ports.notifier.version), settings.timeout);
  });
}

/** Not a slip of the pen, and not a name that was not typed: whoever did it knows, and nothing was begun. */
export function isOfInterest({ operation, end }: Ended): boolean {
  if (!Object.hasOwn(successEvents, operation)) return false;
  if (!('error' in end && end.error instanceof PgbackupError)) return true;
  // Of a restore that a guard refuses, or whose source there is not, whoever typed it has heard.
  const known: readonly ErrorCode[] =
    operation === 'backup' ? ['usage', 'confirmation'] : ['usage', 'confirmation', 'refused', 'not-found', 'no-backup'];
  return !known.includes(end.error.code);
}

/** Tells a monitor that wants to know of it that a backup begins. Never throws. */
export async function announceStart(ports: NoticePorts, service: string, operation: string): Promise<void> {
  if (operation !== 'backup') return;
  await quietly(ports, async () => {
    const { settings } = await readNoticeSettings(ports, service);
    const request = startRequest(settings);
    await send(ports, request ? [request] : [], settings.timeout);
  });
}

/** A notice of what has ended. */
function noticeOf(ports: Pick<Ports, 'host' | 'clock'>, ended: Ended, secrets: readonly string[]): Notice {
  const now = ports.clock.now();
  const { end } = ended;
  const described: Omit<Described, 'outcome'> = 'error' in end ? { message: messageOf(end.error) } : end.described;
  const outcome = 'error' in end ? 'failed' : end.described.outcome;
  return {
    event: outcome === 'ok' ? (successEvents[ended.operation] ?? 'success') : 'failure',
    operation: ended.operation,
    outcome,
    host: ports.host.id,
    service: ended.service,
    schedule: ended.schedule ?? null,
    id: ended.id,
    startedAt: ended.startedAt.toISOString(),
    time: now.toISOString(),
    seconds: (now.getTime() - ended.startedAt.getTime()) / 1000,
    storedBytes: described.storedBytes ?? null,
    databaseBytes: described.databaseBytes ?? null,
    storages: (described.storages ?? []).map((one) => ({ ...one, message: one.message === null ? null : scrub(one.message, secrets) })),
    code: 'error' in end ? (end.error instanceof PgbackupError ? end.error.code : 'bug') : null,
    message: scrub(described.message, secrets),
  };
}

/** What a notice tells of no backup: everything about one is null. */
export function withoutBackup(
  ports: Pick<Ports, 'host' | 'clock'>,
  told: Pick<Notice, 'event' | 'operation' | 'outcome' | 'service' | 'message'> & Partial<Pick<Notice, 'schedule' | 'startedAt'>>,
): Notice {
  const time = ports.clock.now().toISOString();
  return {
    host: ports.host.id,
    schedule: null,
    id: null,
    startedAt: time,
    time,
    seconds: null,
    storedBytes: null,
    databaseBytes: null,
    storages: [],
    code: null,
    ...told,
  };
}

/** The settings about notices, and every secret among all settings. @throws PgbackupError usage. */
export async function readNoticeSettings(
  ports: Pick<Ports, 'settings'>,
  service: string,
): Promise<{ settings: NoticeSettings; secrets: readonly string[] }> {
  const own = isServiceName(service) ? await ports.settings.read(service) : new Map<string, string>();
  const global = await ports.settings.read('--global');
  const secrets = settingRules.flatMap(({ key, secret, shown }) => {
    const values = [own.get(key), global.get(key)].filter((value) => value !== undefined);
    return secret ? values : shown ? values.flatMap((value) => [value, ...tokensIn(value)]) : [];
  });
  return { settings: parseNoticeSettings(checkedValues(own, global)), secrets };
}

/** Makes the calls; each that fails is a warning. */
export async function send(
  ports: Pick<NoticePorts, 'notifier' | 'reporter'>,
  requests: readonly NoticeRequest[],
  timeout: number,
): Promise<readonly NoticeOutcome[]> {
  if (requests.length === 0) return [];
  const outcomes = await ports.notifier.deliver(requests, timeout);
  for (const outcome of outcomes.filter(({ ok }) => !ok)) ports.reporter.warn(`Not notified: ${describeOutcome(outcome)}`);
  return outcomes;
}

/** Does what must not change the outcome of anything. */
async function quietly(ports: Pick<Ports, 'reporter'>, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    ports.reporter.warn(`Nobody was notified: ${messageOf(error)}`);
  }
}
