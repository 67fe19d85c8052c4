import { createReadStream, type Dirent, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { messageOf, PgbackupError } from '../../domain/errors.ts';
import type { ListedKey, PutOptions, PutResult, Storage, StoredObject } from '../../ports.ts';
import { isMissing, shellWord, syncFolder } from '../files.ts';

const partialSuffix = '.partial';
/** Bytes after which what was written is sent to the disk, so that the fsync at the end has little left to do. */
const flushEvery = 16 * 1024 * 1024;

/** A directory of this host. An object is a file; it has its name only once it is whole and on the disk. */
export class LocalStorage implements Storage {
  readonly name: string;
  readonly place: string;

  readonly #given: boolean;

  /** @param given somebody chose the directory: then it is never made here, since a missing one may be a disk that is not mounted. */
  constructor(root: string, given = false, name = 'local') {
    this.name = name;
    this.place = resolve(root);
    this.#given = given;
  }

  /** @throws PgbackupError storage, for a key that climbs out: a manifest from elsewhere may hold any text. */
  filePath(key: string): string {
    if (key === '' || key.split('/').includes('..')) throw new PgbackupError('storage', `"${key}" is no key of an object in ${this.place}`);
    return join(this.place, key);
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, { signal }: PutOptions = {}): Promise<PutResult> {
    const path = this.filePath(key);
    const partial = path + partialSuffix;
    this.#mustExist();
    await this.#io('write', key, async () => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
      // A folder's own entry is on the disk only once its parent is synced.
      for (let folder = dirname(path); folder.length >= this.place.length; folder = dirname(folder)) syncFolder(folder);
    });
    const file = await this.#io('write', key, () => open(partial, 'w', 0o640));
    let bytes = 0;
    let flushed = 0;
    let flushing: Promise<void> = Promise.resolve();
    try {
      for await (const chunk of body) {
        signal?.throwIfAborted();
        await this.#io('write', key, () => file.writeFile(chunk));
        bytes += chunk.length;
        if (bytes - flushed >= flushEvery) {
          await this.#io('write', key, () => flushing);
          flushed = bytes;
          flushing = file.datasync();
          flushing.catch(() => {});
        }
      }
      signal?.throwIfAborted();
      await this.#io('write', key, async () => {
        await flushing;
        await file.sync();
        await file.close();
        await rename(partial, path);
        syncFolder(dirname(path));
      });
      // The disk has said nothing of what it holds now.
      return { bytes, confirmed: false };
    } catch (error) {
      await file.close().catch(() => {});
      rmSync(partial, { force: true });
      this.#removeEmptyFolders(dirname(path));
      throw error;
    }
  }

  async get(key: string): Promise<Readable> {
    if (!(await this.head(key))) throw this.#missing(key);
    return createReadStream(this.filePath(key), { highWaterMark: 1024 * 1024 });
  }

  async readText(key: string): Promise<string> {
    // Synchronous: a thousand small files are read three times as fast as through promises.
    return this.#io('read', key, async () => readFileSync(this.filePath(key), 'utf8'));
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const path = this.filePath(key);
    try {
      const found = statSync(path);
      return found.isFile() ? { key, size: found.size, modified: found.mtime } : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.#failure('read', key, error);
    }
  }

  async *list(prefix: string): AsyncIterable<ListedKey> {
    this.#mustExist();
    // Names alone: a stat for each would take longer than reading the manifests does.
    for (const key of this.#files(prefix)) if (!key.endsWith(partialSuffix)) yield { key, tag: undefined, modified: undefined };
  }

  async delete(key: string): Promise<void> {
    await this.#io('delete', key, async () => {
      rmSync(this.filePath(key), { force: true });
      const folder = dirname(this.filePath(key));
      try {
        syncFolder(folder);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
      this.#removeEmptyFolders(folder);
    });
  }

  async sweep(prefix: string, olderThan?: Date): Promise<void> {
    for (const key of this.#files(prefix)) {
      if (!key.endsWith(partialSuffix)) continue;
      if (olderThan === undefined || ((await this.head(key))?.modified ?? olderThan) < olderThan) await this.delete(key);
    }
    this.#removeEmptyFolders(join(this.place, folderOf(prefix)));
  }

  /** Keys of all files that begin with the prefix. Whole folders are read, then filtered: a prefix may end inside a name. */
  #files(prefix: string): string[] {
    return this.#filesBelow(folderOf(prefix)).filter((key) => key.startsWith(prefix));
  }

  /**
   * Keys of all files below a folder, whose own key is empty or ends in a slash. A folder that vanishes meanwhile
   * takes only its own files along, and links are not followed: readdir's own recursion gives nothing at all in the
   * one case, and in the other whatever lies elsewhere.
   */
  #filesBelow(folder: string): string[] {
    let entries: Dirent[];
    try {
      entries = readdirSync(join(this.place, folder), { withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return [];
      throw this.#failure('list', folder || 'the objects', error);
    }
    return entries.flatMap((entry) => {
      const key = folder + entry.name;
      if (entry.isFile()) return [key];
      // fsck's folder, at the root of a disk given as the place, is for root alone.
      return entry.isDirectory() && key !== 'lost+found' ? this.#filesBelow(`${key}/`) : [];
    });
  }

  /** Up to the root of the storage and not beyond; a folder that holds anything stays. */
  #removeEmptyFolders(folder: string): void {
    try {
      for (let at = folder; at.length > this.place.length; at = dirname(at)) rmdirSync(at);
    } catch {
      // Not empty, or gone already.
    }
  }

  async #io<T>(verb: string, key: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw error instanceof PgbackupError ? error : this.#failure(verb, key, error);
    }
  }

  #mustExist(): void {
    if (!this.#given) return;
    try {
      readdirSync(this.place);
    } catch (cause) {
      throw new PgbackupError('storage', `The directory of the backups, ${this.place}, cannot be read by user dokku: ${messageOf(cause)}`, {
        cause,
        hint: unusable(this.place, codeOf(cause)),
      });
    }
  }

  #missing(key: string, cause?: unknown): PgbackupError {
    return new PgbackupError('not-found', `There is no ${key} in ${this.place}`, { cause });
  }

  #failure(verb: string, key: string, cause: unknown): PgbackupError {
    const code = codeOf(cause);
    if (verb === 'read' && (isMissing(cause) || code === 'EISDIR')) return this.#missing(key, cause);
    const hints: Readonly<Record<string, string>> = {
      ENOSPC: `The disk of ${this.place} is full: free some space, or choose another place: dokku pgbackup:set --global backup-dir <path>`,
      EDQUOT: `The quota of user dokku on the disk of ${this.place} is used up`,
      EACCES: forbidden(verb, this.place),
      EPERM: forbidden(verb, this.place),
      EROFS: `The disk of ${this.place} is mounted read-only`,
    };
    const hint = hints[code];
    return new PgbackupError('storage', `Cannot ${verb} ${key} in ${this.place}: ${messageOf(cause)}`, {
      cause,
      ...(hint !== undefined && { hint }),
    });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Never a change of what is there already: it may be somebody else's, or root's home. */
function forbidden(verb: string, place: string): string {
  const own = shellWord(join(place, 'pgbackup'));
  return `User dokku may not ${verb} there: see whose it is (ls -ld ${shellWord(place)}). For a directory of user dokku's own, as root: install -d -m 0750 -o dokku -g dokku ${own}; then set backup-dir to it. Every directory above it must let user dokku through`;
}

function unusable(place: string, code: string): string {
  if (code === 'ENOENT')
    return `Is its disk mounted? To make it, as root: install -d -m 0750 -o dokku -g dokku ${shellWord(place)}; user dokku must be able to enter every directory above it, too`;
  if (code === 'ENOTDIR') return 'It, or something above it, is a file: give a directory';
  return forbidden('read', place);
}

/** The folder part of a prefix, with its slash. */
function folderOf(prefix: string): string {
  return prefix.slice(0, prefix.lastIndexOf('/') + 1);
}
