import { isBackupId } from '../domain/backup-id.ts';
import { messageOf } from '../domain/errors.ts';
import type { ServiceName } from '../domain/names.ts';
import type { ListedKey, Ports, Storage } from '../ports.ts';

/** What lies in the folder of a backup that has no manifest: no backup, and listed nowhere. */
export interface Orphan {
  readonly id: string;
  readonly keys: readonly string[];
  /** Key of the manifest that is not there. */
  readonly manifest: string;
  /** Bytes. */
  readonly size: number;
}

/** A folder without a manifest may belong to somebody who has not written it yet: for so long nobody touches it. In milliseconds. */
export const orphanAge = 86_400_000;

/**
 * The orphans of a service that this host has left in a storage. Those of another host are its own to judge, and
 * `unfinished`, which the journal knows, is for the next operation to clean up. How old one is says the storage, whose
 * clock dated it. What is locked is left out: it would be refused each time.
 * @throws PgbackupError storage.
 */
export async function findOrphans(storage: Storage, prefix: string, unfinished: string | undefined, now: Date): Promise<readonly Orphan[]> {
  const folders = new Map<string, ListedKey[]>();
  for await (const listed of storage.list(prefix)) {
    const [id, ...rest] = listed.key.slice(prefix.length).split('/');
    if (id === undefined || rest.length !== 1 || !isBackupId(id) || id === unfinished) continue;
    folders.set(id, [...(folders.get(id) ?? []), listed]);
  }
  const orphans: Orphan[] = [];
  for (const [id, listed] of folders) {
    const manifest = `${prefix}${id}/manifest.json`;
    if (listed.some(({ key }) => key === manifest) || (await storage.head(manifest))) continue;
    const objects = await Promise.all(listed.map(({ key }) => storage.head(key)));
    const old = objects.every((object) => object !== undefined && object.modified.getTime() <= now.getTime() - orphanAge);
    const locked = objects.some((object) => object?.lockedUntil !== undefined && object.lockedUntil > now);
    if (!old || locked) continue;
    orphans.push({ id, manifest, keys: listed.map(({ key }) => key), size: objects.reduce((sum, object) => sum + (object?.size ?? 0), 0) });
  }
  return orphans;
}

/**
 * Removes orphans, and what uploads left that were cut off. @returns those that are gone, and what failed.
 */
export async function removeOrphans(
  ports: Pick<Ports, 'locks' | 'signal'>,
  service: ServiceName,
  storage: Storage,
  orphans: readonly Orphan[],
): Promise<{ readonly gone: readonly Orphan[]; readonly failures: readonly string[] }> {
  const gone: Orphan[] = [];
  const failures: string[] = [];
  for (const orphan of orphans) {
    if (ports.signal.aborted) break;
    try {
      // Somebody may be restoring it by its path, or copying to there.
      await using _alone = await ports.locks.removing(service, orphan.id);
      // A listing may leave out what is there; asked for by its name it is found.
      if (await storage.head(orphan.manifest)) continue;
      for (const key of orphan.keys) await storage.delete(key);
      gone.push(orphan);
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  return { gone, failures };
}
