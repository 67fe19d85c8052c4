import type { ErrorCode } from './errors.ts';
import type { CopyState } from './manifest.ts';
import type { NoticeSettings, WebhookEvent } from './notice-settings.ts';

/** Something that people or machines want to hear of. Sizes in bytes, times in UTC. */
export interface Notice {
  readonly event: WebhookEvent | 'test';
  /** Of the command: `backup`, `restore`, `undo`, `prune`; `status` for what is overdue, `notify-test`. */
  readonly operation: string;
  /** `partial`: there is a proven backup, but not in every storage. */
  readonly outcome: 'ok' | 'partial' | 'failed' | 'overdue' | 'test';
  readonly host: string;
  readonly service: string;
  readonly schedule: string | null;
  /** Of the operation, which is that of the backup too. */
  readonly id: string | null;
  /** When the operation began; of an overdue backup, when it was due. */
  readonly startedAt: string;
  readonly time: string;
  readonly seconds: number | null;
  readonly storedBytes: number | null;
  readonly databaseBytes: number | null;
  /** Empty: there is but one. */
  readonly storages: readonly CopyState[];
  /** Why it failed. */
  readonly code: ErrorCode | 'bug' | null;
  readonly message: string;
}

/** One call that is to be made. The body of a webhook is signed where there is a secret. */
export interface NoticeRequest {
  readonly endpoint: 'heartbeat' | 'heartbeat-start' | 'heartbeat-fail' | 'webhook';
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'HEAD';
  readonly body: { readonly type: 'application/json' | 'text/plain'; readonly text: string } | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly secret: string | undefined;
}

/** What became of a call. `url` is masked. */
export interface NoticeOutcome {
  readonly endpoint: NoticeRequest['endpoint'];
  readonly url: string;
  readonly ok: boolean;
  /** The HTTP status; null: there was no answer. */
  readonly status: number | null;
  readonly milliseconds: number;
  /** Why it failed. */
  readonly message: string | null;
}

/** The same for every attempt to deliver a notice, so that whoever receives it twice can tell. */
export function deliveryId(notice: Notice): string {
  const what = notice.id ?? [notice.service, notice.schedule, notice.startedAt].filter((part) => part !== null).join('-');
  return `${what}-${notice.event}`;
}

/** The body of a webhook, which the guide documents field by field. */
export function webhookBody(notice: Notice, toolVersion: string): string {
  return JSON.stringify({
    version: 1,
    delivery: deliveryId(notice),
    event: notice.event,
    operation: notice.operation,
    outcome: notice.outcome,
    host: notice.host,
    service: notice.service,
    schedule: notice.schedule,
    id: notice.id,
    startedAt: notice.startedAt,
    time: notice.time,
    seconds: notice.seconds,
    storedBytes: notice.storedBytes,
    databaseBytes: notice.databaseBytes,
    storages: notice.storages,
    code: notice.code,
    message: notice.message,
    tool: { name: 'dokku-pgbackup', version: toolVersion },
  });
}

/** What a signature is made over: the time belongs to it, so that an old notice cannot be sent again as a new one. */
export function signedText(timestamp: string, body: string): string {
  return `${timestamp}.${body}`;
}

/** The call before a backup, for a monitor that is told of beginnings too; undefined: it is not. */
export function startRequest({ heartbeat }: NoticeSettings): NoticeRequest | undefined {
  if (heartbeat.url === undefined || heartbeat.style !== 'healthchecks') return undefined;
  return heartbeatRequest('heartbeat-start', heartbeat, below(heartbeat.url, 'start'), '');
}

/** The calls that a notice leads to. */
export function noticeRequests({ heartbeat, webhook }: NoticeSettings, notice: Notice, toolVersion: string): NoticeRequest[] {
  const requests = heartbeatRequests(heartbeat, notice);
  const { event } = notice;
  if (webhook.url !== undefined && (event === 'test' || webhook.events.includes(event))) {
    requests.push({
      endpoint: 'webhook',
      url: webhook.url,
      method: 'POST',
      body: { type: 'application/json', text: webhookBody(notice, toolVersion) },
      headers: { 'X-Pgbackup-Event': event, 'X-Pgbackup-Delivery': deliveryId(notice) },
      secret: webhook.secret,
    });
  }
  return requests;
}

type Heartbeat = NoticeSettings['heartbeat'];

/** The heart beats for backups alone; one that did not reach every storage is no beat: else nobody would ever hear of it. */
function heartbeatRequests(heartbeat: Heartbeat, notice: Notice): NoticeRequest[] {
  const { url, failUrl, style } = heartbeat;
  const tells = style === 'healthchecks' && url !== undefined;
  const beat = url === undefined ? [] : [heartbeatRequest('heartbeat', heartbeat, url, notice.message)];
  const fail = failUrl ?? (tells ? below(url, 'fail') : undefined);
  const failed = fail === undefined ? [] : [heartbeatRequest('heartbeat-fail', heartbeat, fail, notice.message)];
  if (notice.event === 'test') {
    // A monitor that has a place for notes is not told of a backup that there was not.
    return tells ? [heartbeatRequest('heartbeat', heartbeat, below(url, 'log'), notice.message)] : [...beat, ...failed];
  }
  if (notice.operation !== 'backup') return [];
  return notice.outcome === 'ok' ? beat : failed;
}

function heartbeatRequest(endpoint: NoticeRequest['endpoint'], { method }: Heartbeat, url: string, message: string): NoticeRequest {
  const body = method === 'POST' ? ({ type: 'text/plain', text: message } as const) : undefined;
  return { endpoint, url, method, body, headers: {}, secret: undefined };
}

/** The address with a word more at the end of its path. */
function below(text: string, word: string): string {
  const url = new URL(text);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${word}`;
  return url.href;
}

/**
 * A message fit for somebody else's machine: without the secrets given, without credentials in addresses, and of
 * bounded length. Errors hold no secrets by the rule of this program; this is for what other programs said in them.
 */
export function scrub(message: string, secrets: readonly string[]): string {
  let text = message;
  // The longest first: one may be part of another. A very short one would be found everywhere, and protects nothing.
  for (const secret of secrets.filter((one) => one.length >= 4).toSorted((a, b) => b.length - a.length)) {
    text = text.replaceAll(secret, '***').replaceAll(encodeURIComponent(secret), '***');
  }
  text = text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1***@');
  return text.length > 1000 ? `${text.slice(0, 1000)}…` : text;
}

/** What became of a call, in words. */
export function describeOutcome({ endpoint, url, status, milliseconds, message }: NoticeOutcome): string {
  const answer = status === null ? '' : `HTTP ${status} `;
  return `${endpoint} ${url}: ${message ?? `${answer}in ${milliseconds} ms`}`;
}
