import { formatTime } from './format.ts';

/** What is kept; a rule of 0 is off. With all of them off nothing is ever removed. */
export interface RetentionPolicy {
  /** The newest so many. */
  readonly keepLast: number;
  /** The newest of each of the last so many hours, days … that have a backup at all. */
  readonly keepHourly: number;
  readonly keepDaily: number;
  readonly keepWeekly: number;
  readonly keepMonthly: number;
  readonly keepYearly: number;
  /** All that are no older than so many seconds, counted from the newest. */
  readonly keepWithin: number | undefined;
  /** The newest so many proven ones, whatever the other rules say. At least 1. */
  readonly minKeep: number;
}

/** A backup in a storage, and what keeps it from being removed there. */
export interface RetentionBackup {
  readonly id: string;
  /** The host that took it, when that is another one. */
  readonly otherHost: string | undefined;
  readonly startedAt: string;
  /** The schemas dumped; empty: the whole database. */
  readonly schemas: readonly string[];
  /** Why it does not count as proven any more: its archive is shorter than it was. */
  readonly flaw: string | undefined;
  /** Object lock: until then the storage lets nobody remove it. */
  readonly lockedUntil: Date | undefined;
  /** Who reads it at this moment: `a restore since …`. */
  readonly reader: string | undefined;
}

export interface RetentionDecision {
  readonly id: string;
  readonly keep: boolean;
  /** In words; never empty. */
  readonly reasons: readonly string[];
}

export interface RetentionPlan {
  /** In the order of what was given. */
  readonly decisions: readonly RetentionDecision[];
}

const day = 86_400_000;

/**
 * Buckets are those of UTC. A local day has 23 or 25 hours twice a year, an hour that comes twice is one hour, and
 * whoever moves to another zone moves every edge: a plan would change though no backup did. UTC has none of it.
 */
const buckets = [
  { rule: 'keepHourly', name: 'hourly', of: (time: Date) => `${time.toISOString().slice(0, 13).replace('T', ' ')}:00` },
  { rule: 'keepDaily', name: 'daily', of: (time: Date) => time.toISOString().slice(0, 10) },
  { rule: 'keepWeekly', name: 'weekly', of: isoWeek },
  { rule: 'keepMonthly', name: 'monthly', of: (time: Date) => time.toISOString().slice(0, 7) },
  { rule: 'keepYearly', name: 'yearly', of: (time: Date) => time.toISOString().slice(0, 4) },
] as const;

/** The week of ISO 8601: it belongs to the year of its Thursday. `2026-W47`. */
function isoWeek(time: Date): string {
  const midnight = Math.floor(time.getTime() / day) * day;
  const weekday = (new Date(midnight).getUTCDay() + 6) % 7;
  const thursday = new Date(midnight + (3 - weekday) * day);
  const week = Math.floor((thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / (7 * day)) + 1;
  return `${thursday.toISOString().slice(0, 4)}-W${String(week).padStart(2, '0')}`;
}

/** The rules that are on, as they are set: `keep-last 3, keep-within 7d`; empty where there are none. */
export function describeRules(policy: RetentionPolicy): string {
  return [
    ...(policy.keepLast > 0 ? [`keep-last ${policy.keepLast}`] : []),
    ...buckets.flatMap(({ rule, name }) => (policy[rule] > 0 ? [`keep-${name} ${policy[rule]}`] : [])),
    ...(policy.keepWithin ? [`keep-within ${formatDuration(policy.keepWithin)}`] : []),
  ].join(', ');
}

/**
 * Which of a service's backups in one storage are kept, and why. Never removed: the newest proven one, the `minKeep`
 * newest proven ones, those of another host, under object lock, being read, or dated in the future. No decision
 * depends on the order of the list, on a time zone, or on how long ago the newest backup was taken: where backups
 * have stopped, what there is stays (pitfall 48).
 */
export function planRetention(backups: readonly RetentionBackup[], policy: RetentionPolicy, now: Date): RetentionPlan {
  const reasons = new Map<RetentionBackup, string[]>(backups.map((backup) => [backup, protections(backup, now)]));
  const rules = describeRules(policy);
  for (const group of groupsOf(backups.filter((backup) => counts(backup, now))))
    for (const [backup, rule] of keptByRules(group, policy)) reasons.get(backup)?.push(rule);
  return {
    decisions: backups.map((backup) => {
      const { id, flaw } = backup;
      if (rules === '') return { id, keep: true, reasons: ['no retention policy is set'] };
      const found = reasons.get(backup) ?? [];
      const keep = found.length > 0;
      return { id, keep, reasons: [...(keep ? found : [`no rule keeps it (${rules})`]), ...(flaw === undefined ? [] : [flaw])] };
    }),
  };
}

/** Whether the rules look at it at all. A clock that was wrong must not let a backup of the year 2099 stand in for real ones. */
function counts(backup: RetentionBackup, now: Date): boolean {
  return backup.otherHost === undefined && new Date(backup.startedAt) <= now;
}

/** What keeps it whatever the rules say. */
function protections({ otherHost, startedAt, lockedUntil, reader }: RetentionBackup, now: Date): string[] {
  return [
    ...(otherHost === undefined ? [] : [`of another host (${otherHost})`]),
    // So put that a date which is none counts as one, too.
    ...(new Date(startedAt) <= now ? [] : ['dated in the future']),
    ...(lockedUntil !== undefined && lockedUntil > now ? [`locked until ${formatTime(lockedUntil.toISOString())}`] : []),
    ...(reader === undefined ? [] : [`being read by ${reader}`]),
  ];
}

/**
 * What one set of rules is applied to, newest first. A backup of some schemas is none of the database, and one that
 * is not whole none at all: neither may push a proven one of the whole database out, nor the other way round.
 */
function groupsOf(backups: readonly RetentionBackup[]): RetentionBackup[][] {
  const kindOf = ({ flaw, schemas }: RetentionBackup): string => JSON.stringify([flaw === undefined, ...new Set(schemas.toSorted())]);
  return [...Map.groupBy(backups.toSorted(newestFirst), kindOf).values()];
}

/** Those of the same moment by their ids, so that no two runs choose differently between them. */
function newestFirst(a: RetentionBackup, b: RetentionBackup): number {
  return Date.parse(b.startedAt) - Date.parse(a.startedAt) || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

function* keptByRules(group: readonly RetentionBackup[], policy: RetentionPolicy): Generator<[RetentionBackup, string]> {
  const [newest] = group;
  if (!newest) return;
  yield [newest, newest.flaw === undefined ? 'newest proven' : 'newest of those that are not whole'];
  for (const backup of group.slice(0, policy.keepLast)) yield [backup, `last ${policy.keepLast}`];
  for (const { rule, name, of } of buckets) {
    const seen = new Set<string>();
    for (const backup of group) {
      const bucket = of(new Date(backup.startedAt));
      if (seen.has(bucket)) continue;
      if (seen.size >= policy[rule]) break;
      seen.add(bucket);
      yield [backup, `${name} ${bucket}`];
    }
  }
  if (policy.keepWithin) {
    const words = `within ${formatDuration(policy.keepWithin)}`;
    const { begin, beginOfPrevious } = windowOf(group, policy.keepWithin * 1000);
    for (const backup of group) {
      const time = Date.parse(backup.startedAt);
      if (time >= begin) yield [backup, words];
      else if (time >= beginOfPrevious) yield [backup, `${words} of the newest but one`];
    }
  }
  for (const backup of group.slice(0, Math.max(1, policy.minKeep))) yield [backup, `min-keep ${policy.minKeep}`];
}

/**
 * Where the window of keep-within begins, in milliseconds. It ends at the newest backup and not now: time alone removes
 * nothing. Where the gap before the newest is longer than the window (a host that was off, a clock that had jumped ahead
 * when this one backup was taken) it would be alone in it: then as much counts before the gap. A gap that is shorter
 * gives as much as itself, or else a longer window could begin later.
 */
function windowOf(group: readonly RetentionBackup[], within: number): { begin: number; beginOfPrevious: number } {
  const [newest = 0, previous = newest] = group.map((backup) => Date.parse(backup.startedAt));
  return { begin: newest - within, beginOfPrevious: previous - Math.min(within, newest - previous) };
}

/** Seconds as they are typed: `7d`, `36h`. */
function formatDuration(seconds: number): string {
  for (const [unit, length] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const)
    if (seconds % length === 0) return `${seconds / length}${unit}`;
  return `${seconds}s`;
}
