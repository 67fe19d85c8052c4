import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs the work on a tmpfs of the size (as mount takes it: `1m`).
 * @throws Error where this user may not mount: a test about full disks is not to be passed over.
 */
export async function withSmallDisk<T>(size: string, work: (folder: string) => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0)
    throw new Error(
      'Full disks are tested on a small tmpfs, which only root may mount: run the tests as root (CAP_SYS_ADMIN in a container)',
    );
  const folder = mkdtempSync(join(tmpdir(), 'pgbackup-small-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  try {
    return await work(folder);
  } finally {
    execFileSync('umount', [folder]);
    rmdirSync(folder);
  }
}
