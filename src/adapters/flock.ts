import { PgbackupError } from '../domain/errors.ts';
import { runWithFile } from './process.ts';

export interface LockOptions {
  /** Together with others who ask for it shared. */
  readonly shared?: boolean;
  /** Seconds; 0: not at all. */
  readonly wait?: number;
  /** Ends the waiting; those who wait get the lock in the order in which they came. */
  readonly signal?: AbortSignal;
}

/**
 * Locks an open file or folder by flock(2), unless somebody else has. The kernel gives the lock back when the
 * descriptor is closed or its process is gone. Node has no flock; flock(1) of util-linux locks the open file
 * that it inherits, and the lock stays with our end of it.
 * @throws PgbackupError dokku, storage; the signal's reason.
 */
export async function lockFile(fd: number, { shared = false, wait = 0, signal }: LockOptions = {}): Promise<boolean> {
  const patience = wait === 0 ? ['-n'] : ['-w', String(wait)];
  const { exitCode } = await runWithFile('flock', [...(shared ? ['-s'] : []), ...patience, '3'], fd, {}, signal);
  signal?.throwIfAborted();
  if (exitCode !== 0 && exitCode !== 1) throw new PgbackupError('storage', `flock failed (exit ${exitCode ?? 'by a signal'})`);
  return exitCode === 0;
}

/** Gives a lock back also where a command that was lent the open file still has it. */
export async function unlockFile(fd: number): Promise<void> {
  await runWithFile('flock', ['-u', '3'], fd);
}
