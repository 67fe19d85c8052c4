import { PgbackupError } from '../domain/errors.ts';
import { runWithFile } from './process.ts';

/**
 * Locks an open file or folder by flock(2), unless somebody else has. The kernel gives the lock back when the
 * descriptor is closed or its process is gone. Node has no flock; flock(1) of util-linux locks the open file
 * that it inherits, and the lock stays with our end of it.
 * @throws PgbackupError dokku, storage.
 */
export async function lockFile(fd: number): Promise<boolean> {
  const { exitCode } = await runWithFile('flock', ['-n', '3'], fd);
  if (exitCode !== 0 && exitCode !== 1) throw new PgbackupError('storage', `flock failed (exit ${exitCode ?? 'by a signal'})`);
  return exitCode === 0;
}

/** Gives a lock back also where a command that was lent the open file still has it. */
export async function unlockFile(fd: number): Promise<void> {
  await runWithFile('flock', ['-u', '3'], fd);
}
