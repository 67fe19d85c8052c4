import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, PgbackupError } from '../domain/errors.ts';

/** A path as it has to be typed. */
export function shellWord(path: string): string {
  return /^[\w./:@%+=,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Whether an error is that of a missing file or folder. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** Whether the open file is still the one that the path leads to. */
export function isAt(fd: number, path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.ino === fstatSync(fd).ino;
}

/** The file as UTF-8; undefined when it does not exist. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Does something to a file that this program keeps. @throws PgbackupError storage. */
export function onDisk<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const full = cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT');
    throw new PgbackupError('storage', `Cannot write ${path}: ${messageOf(cause)}`, {
      cause,
      hint: full ? 'The disk is full: free some space, then try again' : `Can user dokku write there? See: ls -ld ${dirname(path)}`,
    });
  }
}

/** Makes what happened to a folder's entries survive a power loss. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes a small file so that after a crash it is the old one or the new one, whole. Mode 0600. @throws PgbackupError storage. */
export function writeDurably(path: string, text: string): void {
  onDisk(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.partial`;
    const fd = openSync(temporary, 'w', 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  });
}

/** Removes a file for good; a missing one is no error. @throws PgbackupError storage. */
export function removeDurably(path: string): void {
  onDisk(path, () => {
    rmSync(path, { force: true });
    // Of one who was killed while writing it anew.
    rmSync(`${path}.partial`, { force: true });
    try {
      syncFolder(dirname(path));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  });
}
