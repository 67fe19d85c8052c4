import { parseDuration } from './duration.ts';
import { PgbackupError } from './errors.ts';
import { noticeRules } from './notice-settings.ts';
import type { RetentionPolicy } from './retention.ts';
import { parseRecipients } from './recipients.ts';
import { absolutePath, inRange, mask, secretLine, upTo, type SettingRule } from './setting-rule.ts';
import { parseStorageNames, type StorageName } from './storage-name.ts';

/** What is settable for a service or, with `--global`, for all of them. Durations are in seconds. */
export interface Settings {
  readonly backupDir: string | undefined;
  /** Where backups go to, all of them; the first ones are read first. */
  readonly storages: readonly StorageName[];
  readonly keepPrevious: number;
  readonly lockTimeout: number;
  readonly compressionLevel: number;
  readonly jobs: number | undefined;
  readonly scheduleWait: number;
  readonly scheduleJitter: number;
  readonly maxConcurrent: number;
  readonly scheduledCpuShares: number;
  readonly scheduledBlkioWeight: number | undefined;
  readonly overdueGrace: number | undefined;
  readonly retention: RetentionPolicy;
}

function keepRule(name: string, buckets: string): SettingRule {
  return {
    key: `keep-${name}`,
    summary: `Prune keeps the newest of each of the last so many ${buckets} (UTC) that have a backup`,
    fallback: '0',
    check: inRange(`keep-${name}`, 0, 9999),
  };
}

/** Every setting there is: its key, what it does, its default and its check. Help, `set` and `report` read this list. */
export const settingRules: readonly SettingRule[] = [
  {
    key: 'backup-dir',
    summary: 'Directory of the local storage; default: backups/ in the data directory of the plugin',
    fallback: '',
    check: absolutePath('backup-dir'),
  },
  {
    key: 'storages',
    summary: 'Storages that every backup goes to, with commas between them: local,offsite',
    fallback: 'local',
    check: parseStorageNames,
  },
  {
    key: 'keep-previous',
    summary: 'How long the database from before a restore is kept for undo (30m, 24h, 7d)',
    fallback: '24h',
    // Its end is recorded as a date of four-digit year.
    check: upTo('keep-previous', '36500d'),
  },
  {
    key: 'lock-timeout',
    summary: 'How long a dump waits for a table that somebody has locked',
    fallback: '60s',
    // Postgres counts it in milliseconds of 31 bits.
    check: upTo('lock-timeout', '24d'),
  },
  {
    key: 'compression-level',
    summary: 'Level of zstd, 1 (fast) to 19 (small)',
    fallback: '3',
    check: inRange('compression-level', 1, 19),
  },
  {
    key: 'jobs',
    summary: 'Parallel jobs of a restore; default: one per processor, at most 4',
    fallback: '',
    check: inRange('jobs', 1, 64),
  },
  {
    key: 'schedule-wait',
    summary: 'How long a scheduled run waits for another operation on its service, or for a place; never past its next time',
    fallback: '1h',
    check: upTo('schedule-wait', '7d'),
  },
  {
    key: 'schedule-jitter',
    summary: 'Scheduled runs begin up to so much later, each schedule by its own time; at most 6h',
    fallback: '0',
    check: upTo('schedule-jitter', '6h'),
  },
  {
    key: 'max-concurrent',
    summary: 'How many scheduled runs there may be on this host at a time; only for all services',
    fallback: '2',
    check: inRange('max-concurrent', 1, 64),
    globalOnly: true,
  },
  {
    key: 'scheduled-cpu-shares',
    summary: 'CPU shares of the sidecar of a scheduled run, 2 to 1024, where others have 1024',
    fallback: '256',
    check: inRange('scheduled-cpu-shares', 2, 1024),
  },
  {
    key: 'scheduled-blkio-weight',
    summary: 'I/O weight of the sidecar of a scheduled run, 10 to 1000, where the kernel knows it; default: as others',
    fallback: '',
    check: inRange('scheduled-blkio-weight', 10, 1000),
  },
  {
    key: 'overdue-grace',
    summary: 'How long after its time a backup counts as overdue; default: 1h, or a tenth of the interval if that is longer',
    fallback: '',
    check: upTo('overdue-grace', '365d'),
  },
  {
    key: 'keep-last',
    summary: 'Prune keeps the newest so many backups; as for all keep rules: 0 is off, and with all off nothing is removed',
    fallback: '0',
    check: inRange('keep-last', 0, 9999),
  },
  keepRule('hourly', 'hours'),
  keepRule('daily', 'days'),
  keepRule('weekly', 'weeks'),
  keepRule('monthly', 'months'),
  keepRule('yearly', 'years'),
  {
    key: 'keep-within',
    summary: 'Prune keeps all that are no older than so long, counted from the newest (36h, 7d, 4w)',
    fallback: '0',
    check: upTo('keep-within', '36500d'),
  },
  {
    key: 'min-keep',
    summary: 'Prune keeps the newest so many proven backups, whatever the keep rules say',
    fallback: '2',
    check: inRange('min-keep', 1, 9999),
  },
  ...noticeRules,
  {
    key: 'recipients',
    summary: 'Public keys of age (age1…) that archives are encrypted to, with commas between them; or none',
    fallback: '',
    check: (value) => void (value === 'none' || parseRecipients(value)),
  },
  {
    key: 'passphrase',
    summary: 'Passphrase that archives are encrypted with, at least 12 characters; from standard input',
    fallback: '',
    check: secretLine('passphrase', 12),
    secret: true,
  },
];

/** The keys of all settings. */
export const settingKeys: readonly string[] = settingRules.map((rule) => rule.key);

/** @throws PgbackupError usage, when there is no such setting. */
export function settingRule(key: string): SettingRule {
  const rule = settingRules.find((candidate) => candidate.key === key);
  if (rule) return rule;
  throw new PgbackupError('usage', `There is no setting "${key}"`, { hint: `Settings: ${settingKeys.join(', ')}` });
}

/** @throws PgbackupError usage, for an unknown key, a value that the key does not take, or a service that it is not for. */
export function checkSetting(key: string, value: string, scope?: string): void {
  const rule = settingRule(key);
  if (rule.globalOnly && scope !== undefined && scope !== '--global')
    throw new PgbackupError('usage', `${key} is one for the whole host`, { hint: `dokku pgbackup:set --global ${key} ${value}`.trim() });
  if (value !== '') rule.check(value);
}

/** A value as it may be seen by anyone: never a secret, never the token in an address. */
export function shownValue(key: string, value: string): string {
  const rule = settingRule(key);
  if (value === '') return '';
  if (rule.secret) return mask;
  return rule.shown ? rule.shown(value) : value;
}

/** The value of one key: the service's own, else the global one, else the default. */
export function effectiveValue(key: string, own: ReadonlyMap<string, string>, global: ReadonlyMap<string, string>): string {
  const fallback = settingRules.find((rule) => rule.key === key)?.fallback ?? '';
  // An empty file is Dokku's way of having none.
  return own.get(key) || global.get(key) || fallback;
}

/** Effective values of a service, each checked when it is asked for. The function throws PgbackupError usage. */
export function checkedValues(own: ReadonlyMap<string, string>, global: ReadonlyMap<string, string>): (key: string) => string {
  return (key) => {
    const chosen = effectiveValue(key, own, global);
    checkSetting(key, chosen);
    return chosen;
  };
}

/** Typed settings from the raw values of a service and the global ones. @throws PgbackupError usage. */
export function parseSettings(own: ReadonlyMap<string, string>, global: ReadonlyMap<string, string>): Settings {
  const value = checkedValues(own, global);
  return {
    backupDir: value('backup-dir') || undefined,
    storages: parseStorageNames(value('storages')),
    keepPrevious: parseDuration(value('keep-previous'), 'keep-previous'),
    lockTimeout: parseDuration(value('lock-timeout'), 'lock-timeout'),
    compressionLevel: Number(value('compression-level')),
    jobs: Number(value('jobs')) || undefined,
    scheduleWait: parseDuration(value('schedule-wait'), 'schedule-wait'),
    scheduleJitter: parseDuration(value('schedule-jitter'), 'schedule-jitter'),
    maxConcurrent: Number(value('max-concurrent')),
    scheduledCpuShares: Number(value('scheduled-cpu-shares')),
    scheduledBlkioWeight: Number(value('scheduled-blkio-weight')) || undefined,
    overdueGrace: value('overdue-grace') === '' ? undefined : parseDuration(value('overdue-grace'), 'overdue-grace'),
    retention: {
      keepLast: Number(value('keep-last')),
      keepHourly: Number(value('keep-hourly')),
      keepDaily: Number(value('keep-daily')),
      keepWeekly: Number(value('keep-weekly')),
      keepMonthly: Number(value('keep-monthly')),
      keepYearly: Number(value('keep-yearly')),
      keepWithin: parseDuration(value('keep-within'), 'keep-within') || undefined,
      minKeep: Number(value('min-keep')),
    },
  };
}
