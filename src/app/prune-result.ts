/** What a prune has done, or would do: in each storage, in sums, and in words. */
import type { ServiceName } from '../domain/names.ts';
import type { Described } from './notices.ts';
import type { Orphan } from './orphans.ts';

/** What becomes of one backup in one storage. */
export interface PrunedBackup {
  readonly id: string;
  readonly startedAt: string;
  /** Bytes. */
  readonly size: number;
  readonly keep: boolean;
  /** In words; never empty. */
  readonly reasons: readonly string[];
  /** False also where it was to be removed, and could not be. */
  readonly removed: boolean;
}

export interface PrunedStorage {
  readonly storage: string;
  readonly place: string;
  /** Oldest first; empty, where the storage could not be read. */
  readonly backups: readonly PrunedBackup[];
  /** Removed, or with `dryRun` to be removed. */
  readonly orphans: readonly Orphan[];
  /** What could not be read or removed, in words. */
  readonly failures: readonly string[];
}

export interface PruneResult {
  readonly service: ServiceName;
  readonly dryRun: boolean;
  /** The rules that are on: `keep-last 3, keep-daily 7`; empty: nothing is ever removed. */
  readonly rules: string;
  readonly minKeep: number;
  readonly storages: readonly PrunedStorage[];
}

/** Whether anything was removed, or could not be. */
export function isWorthTelling(result: PruneResult): boolean {
  const { removed, bytes, failed } = prunedSums(result);
  return removed > 0 || bytes > 0 || failed > 0;
}

/** Backups and bytes that are gone from a result's storages, or with `dryRun` would be; failures there. */
export function prunedSums(result: PruneResult): { readonly removed: number; readonly bytes: number; readonly failed: number } {
  const gone = result.storages.flatMap(({ backups }) => backups.filter(({ keep, removed }) => (result.dryRun ? !keep : removed)));
  const orphans = result.storages.flatMap((storage) => storage.orphans);
  return {
    removed: gone.length,
    bytes: [...gone, ...orphans].reduce((sum, { size }) => sum + size, 0),
    failed: result.storages.reduce((sum, { failures }) => sum + failures.length, 0),
  };
}

/** How it ended, for the log and for notices. */
export function describePruned(result: PruneResult): Described {
  const { removed, bytes, failed } = prunedSums(result);
  const failures = result.storages.flatMap((storage) => storage.failures.map((failure) => `${storage.storage}: ${failure}`));
  return { outcome: failed > 0 ? 'partial' : 'ok', message: [`${removed} backups removed, ${bytes} bytes`, ...failures].join('; ') };
}
