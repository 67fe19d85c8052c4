/** One run at a time on this lab, and nothing left at work by one that was killed. */
import { spawnSync } from 'node:child_process';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { callerIsGone } from './caller.ts';
import { kill } from './program.ts';
import { say } from './suite.ts';

const variable = 'PGBACKUP_TEST_RUN';

/** Processes that carry the mark of a run on this lab, ourselves excepted. */
function marked(mark: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && carries(pid, mark));
}

function carries(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${variable}=${mark}`);
  } catch {
    return false; // gone, or not ours to read
  }
}

/** Ends everything that was started by a run on this lab. */
export function endMarked(mark: string): void {
  for (const pid of marked(mark)) kill(pid, 'SIGKILL');
}

/**
 * Waits for another run on the lab to end, and marks what this process starts from here on. The kernel drops
 * the lock with the process that holds it; what that process left running is found by its mark.
 * @throws Error after ten minutes, or when nobody waits for us any more.
 */
export async function runAlone(lab: string): Promise<void> {
  const fd = openSync(`${lab}.lock`, 'a');
  for (let seconds = 0; !locked(fd); seconds += 1) {
    if (seconds === 0) say(`another run uses ${lab}: waiting for it to end`);
    if (callerIsGone()) throw new Error('The caller is gone');
    if (seconds > 600)
      throw new Error(`Another run still uses ${lab} after ten minutes. Stop it, or use another lab: PGBACKUP_LAB_ROOT=<folder>`);
    await sleep(1000);
  }
  const left = marked(lab);
  if (left.length > 0) say(`ending ${left.length} processes that a killed run left`);
  endMarked(lab);
  process.env[variable] = lab;
}

/** flock(1) locks the open file that it inherits, and the lock stays with our end of it. */
function locked(fd: number): boolean {
  return spawnSync('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] }).status === 0;
}
