import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { PgbackupError } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import type { ServiceName } from '../domain/names.ts';
import type { Clock, Locks } from '../ports.ts';
import { lockFile, unlockFile } from './flock.ts';
import { onDisk } from './files.ts';
import { serviceState } from './state.ts';

const holderSchema = v.object({ pid: v.number(), purpose: v.string(), since: v.string() });

/**
 * Locks by flock(2). The kernel drops them when the process that holds the file open is gone, however it went,
 * so that there is no stale lock to be found and none to be removed by hand.
 */
export class FileLocks implements Locks {
  readonly #state: string;
  readonly #clock: Clock;
  #held: number | undefined;
  #lent = false;

  constructor(state: string, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  async acquire(service: ServiceName, purpose: string): Promise<AsyncDisposable> {
    const folder = serviceState(this.#state, service);
    const path = join(folder, 'lock');
    const fd = onDisk(path, () => {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return openSync(path, 'a+', 0o600);
    });
    if (!(await lockFile(fd))) {
      const holder = readHolder(path);
      closeSync(fd);
      throw new PgbackupError('locked', `Service ${service} is busy: ${holder}`, {
        hint: 'Wait for it to end, then try again',
      });
    }
    note(fd, { pid: process.pid, purpose, since: this.#clock.now().toISOString() });
    this.#held = fd;
    return {
      [Symbol.asyncDispose]: async () => {
        this.#held = undefined;
        note(fd, undefined);
        if (this.#lent) await unlockFile(fd);
        closeSync(fd);
      },
    };
  }

  /**
   * The open file of the lock that is held, for a command that must come to its end before anybody else begins:
   * it then holds the lock too, and goes on holding it when this process is killed.
   */
  lend(): number | undefined {
    this.#lent ||= this.#held !== undefined;
    return this.#held;
  }
}

/** Who holds it, for the message to others; the lock itself needs no word on a disk that may be full. */
function note(fd: number, holder: v.InferOutput<typeof holderSchema> | undefined): void {
  try {
    ftruncateSync(fd);
    if (holder) writeSync(fd, JSON.stringify(holder));
  } catch {
    // Others are told that another command has just begun.
  }
}

function readHolder(path: string): string {
  try {
    const holder = v.parse(holderSchema, JSON.parse(readFileSync(path, 'utf8')));
    const process = existsSync(`/proc/${holder.pid}`)
      ? `process ${holder.pid}`
      : `process ${holder.pid} is gone, a dokku command that it began still runs`;
    return `${holder.purpose} since ${formatTime(holder.since)} (${process})`;
  } catch {
    return 'another command has just begun';
  }
}
