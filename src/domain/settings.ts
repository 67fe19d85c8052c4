import { parseDuration } from './duration.ts';
import { PgbackupError } from './errors.ts';

/** What is settable for a service or, with `--global`, for all of them. Durations are in seconds. */
export interface Settings {
  readonly backupDir: string | undefined;
  readonly keepPrevious: number;
  readonly lockTimeout: number;
  readonly compressionLevel: number;
  readonly jobs: number | undefined;
}

interface SettingRule {
  readonly key: string;
  readonly summary: string;
  readonly fallback: string;
  /** @throws PgbackupError usage. */
  readonly check: (value: string) => void;
}

function inRange(key: string, low: number, high: number): (value: string) => void {
  return (value) => {
    if (/^\d{1,4}$/.test(value) && Number(value) >= low && Number(value) <= high) return;
    throw new PgbackupError('usage', `${key} "${value}" is not a whole number from ${low} to ${high}`);
  };
}

/** A duration no longer than the one given, which is written as a person would write it. */
function upTo(key: string, longest: string): (value: string) => void {
  return (value) => {
    if (parseDuration(value, key) <= parseDuration(longest, key)) return;
    throw new PgbackupError('usage', `${key} "${value}" is longer than ${longest}`);
  };
}

function checkBackupDir(value: string): void {
  // A colon would split docker's -v argument, a control character would forge a line of a report.
  if (value.startsWith('/') && value.replaceAll('/', '') !== '' && !value.split('/').includes('..') && !/[:,\p{Cc}]/u.test(value)) return;
  throw new PgbackupError('usage', `backup-dir "${value}" is not a usable path`, {
    hint: 'Give an absolute path without "..", colon or comma, on a disk that user dokku can write to',
  });
}

/** Every setting there is: its key, what it does, its default and its check. Help, `set` and `report` read this list. */
export const settingRules: readonly SettingRule[] = [
  {
    key: 'backup-dir',
    summary: 'Directory of the local storage; default: backups/ in the data directory of the plugin',
    fallback: '',
    check: checkBackupDir,
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
];

/** The keys of all settings. */
export const settingKeys: readonly string[] = settingRules.map((rule) => rule.key);

/** @throws PgbackupError usage, for an unknown key or a value that the key does not take. */
export function checkSetting(key: string, value: string): void {
  const rule = settingRules.find((candidate) => candidate.key === key);
  if (!rule) {
    throw new PgbackupError('usage', `There is no setting "${key}"`, { hint: `Settings: ${settingKeys.join(', ')}` });
  }
  if (value !== '') rule.check(value);
}

/** The value of one key: the service's own, else the global one, else the default. */
export function effectiveValue(key: string, own: ReadonlyMap<string, string>, global: ReadonlyMap<string, string>): string {
  const fallback = settingRules.find((rule) => rule.key === key)?.fallback ?? '';
  // An empty file is Dokku's way of having none.
  return own.get(key) || global.get(key) || fallback;
}

/** Typed settings from the raw values of a service and the global ones. @throws PgbackupError usage. */
export function parseSettings(own: ReadonlyMap<string, string>, global: ReadonlyMap<string, string>): Settings {
  const value = (key: string): string => {
    const chosen = effectiveValue(key, own, global);
    checkSetting(key, chosen);
    return chosen;
  };
  return {
    backupDir: value('backup-dir') || undefined,
    keepPrevious: parseDuration(value('keep-previous'), 'keep-previous'),
    lockTimeout: parseDuration(value('lock-timeout'), 'lock-timeout'),
    compressionLevel: Number(value('compression-level')),
    jobs: Number(value('jobs')) || undefined,
  };
}
