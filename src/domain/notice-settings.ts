import { parseDuration } from './duration.ts';
import { PgbackupError } from './errors.ts';
import { absolutePath, oneOf, secretLine, type SettingRule } from './setting-rule.ts';
import { checkUrl, maskUrl } from './url.ts';

/** What a webhook can be told of. */
export const webhookEvents = ['success', 'failure', 'restore', 'prune', 'overdue'] as const;
export type WebhookEvent = (typeof webhookEvents)[number];

/** Where a service's notices go. Addresses may hold tokens: shown only through `maskUrl`. */
export interface NoticeSettings {
  readonly heartbeat: {
    readonly url: string | undefined;
    readonly failUrl: string | undefined;
    readonly method: 'GET' | 'POST' | 'HEAD';
    readonly style: 'plain' | 'healthchecks';
  };
  readonly webhook: {
    readonly url: string | undefined;
    readonly secret: string | undefined;
    readonly events: readonly WebhookEvent[];
  };
  /** Seconds that all notices of one event may take together. */
  readonly timeout: number;
}

const methods = ['GET', 'POST', 'HEAD'] as const;
const styles = ['plain', 'healthchecks'] as const;

function checkEvents(value: string): void {
  const words = value.split(',');
  if (value === 'none' || words.every((word) => isWebhookEvent(word))) return;
  throw new PgbackupError('usage', `webhook-events "${value}" is not a list of events`, {
    hint: `Events, with commas between them and no spaces: ${webhookEvents.join(',')}; or none`,
  });
}

function isWebhookEvent(word: string): word is WebhookEvent {
  return webhookEvents.some((event) => event === word);
}

function checkTimeout(value: string): void {
  const seconds = parseDuration(value, 'notify-timeout');
  if (seconds >= 1 && seconds <= 60) return;
  throw new PgbackupError('usage', `notify-timeout "${value}" is not from 1s to 60s`);
}

/** The settings about notices and monitoring. */
export const noticeRules: readonly SettingRule[] = [
  {
    key: 'heartbeat-url',
    summary: 'Address to call when a backup has succeeded',
    fallback: '',
    check: checkUrl('heartbeat-url'),
    shown: maskUrl,
  },
  {
    key: 'heartbeat-fail-url',
    summary: 'Address to call when a backup has failed',
    fallback: '',
    check: checkUrl('heartbeat-fail-url'),
    shown: maskUrl,
  },
  {
    key: 'heartbeat-method',
    summary: 'How the heartbeat is called: GET, POST or HEAD',
    fallback: 'GET',
    check: oneOf('heartbeat-method', methods),
  },
  {
    key: 'heartbeat-style',
    summary: 'Either plain, or healthchecks: also <heartbeat-url>/start before a backup and /fail when it failed',
    fallback: 'plain',
    check: oneOf('heartbeat-style', styles),
  },
  {
    key: 'webhook-url',
    summary: 'Address that JSON about what was done is posted to',
    fallback: '',
    check: checkUrl('webhook-url'),
    shown: maskUrl,
  },
  {
    key: 'webhook-secret',
    summary: 'Key that the posts are signed with, at least 16 characters; from standard input',
    fallback: '',
    check: secretLine('webhook-secret', 16),
    secret: true,
  },
  {
    key: 'webhook-events',
    summary: `What is posted: some of ${webhookEvents.join(',')}, or none`,
    fallback: webhookEvents.join(','),
    check: checkEvents,
  },
  {
    key: 'notify-timeout',
    summary: 'How long the notices of one event may take together, 1s to 60s',
    fallback: '5s',
    check: checkTimeout,
  },
  {
    key: 'textfile-dir',
    summary: "Directory of Prometheus's textfile collector, where pgbackup.prom is kept; only for all services",
    fallback: '',
    check: absolutePath('textfile-dir'),
    globalOnly: true,
  },
];

/**
 * The typed settings, from a function that gives the effective and checked value of a key. They are apart from the
 * settings of backups and restores: one that is broken must not keep a backup from being taken (pitfall 47).
 */
export function parseNoticeSettings(value: (key: string) => string): NoticeSettings {
  const events = value('webhook-events');
  return {
    heartbeat: {
      url: value('heartbeat-url') || undefined,
      failUrl: value('heartbeat-fail-url') || undefined,
      method: methods.find((method) => method === value('heartbeat-method')) ?? 'GET',
      style: styles.find((style) => style === value('heartbeat-style')) ?? 'plain',
    },
    webhook: {
      url: value('webhook-url') || undefined,
      secret: value('webhook-secret') || undefined,
      events: events.split(',').filter(isWebhookEvent),
    },
    timeout: parseDuration(value('notify-timeout'), 'notify-timeout'),
  };
}
