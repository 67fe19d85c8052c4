import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { PgbackupError } from '../domain/errors.ts';
import type { ServiceName } from '../domain/names.ts';
import type { Clock, Locks, Wait } from '../ports.ts';
import { lockFile, unlockFile } from './flock.ts';
import { onDisk } from './files.ts';
import { noteHolder, readHolder } from './lock-holder.ts';
import { ReaderMarks } from './reader-marks.ts';
import { serviceState } from './state.ts';

/**
 * Locks by flock(2). The kernel drops them when the process that holds the file open is gone, however it went,
 * so that there is no stale lock to be found and none to be removed by hand.
 */
export class FileLocks implements Locks {
  readonly #state: string;
  readonly #clock: Clock;
  readonly #marks: ReaderMarks;
  #held: number | undefined;
  #lent = false;

  constructor(state: string, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
    this.#marks = new ReaderMarks(state, clock);
  }

  async acquire(service: ServiceName, purpose: string, wait?: Wait): Promise<AsyncDisposable> {
    const folder = serviceState(this.#state, service);
    const path = join(folder, 'lock');
    const fd = onDisk(path, () => {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return openSync(path, 'a+', 0o600);
    });
    try {
      if (!(await lockFile(fd))) {
        wait?.waiting(`Service ${service} is busy: ${readHolder(path)}`);
        if (!wait || !(await lockInTime(fd, wait, this.#clock))) {
          throw new PgbackupError('locked', `Service ${service} is busy: ${readHolder(path)}`, {
            hint: 'Wait for it to end, then try again',
          });
        }
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    noteHolder(fd, { pid: process.pid, purpose, since: this.#clock.now().toISOString() });
    this.#held = fd;
    return {
      [Symbol.asyncDispose]: async () => {
        this.#held = undefined;
        noteHolder(fd, undefined);
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

  reading(service: ServiceName, id: string, purpose: string): Promise<AsyncDisposable> {
    return this.#marks.reading(service, id, purpose);
  }

  removing(service: ServiceName, id: string): Promise<AsyncDisposable> {
    return this.#marks.removing(service, id);
  }

  readers(service: ServiceName): Promise<ReadonlyMap<string, string>> {
    return this.#marks.readers(service);
  }
}

/** Waits its turn for a lock. @returns false when the time is over. @throws the signal's reason. */
export function lockInTime(fd: number, { until, signal }: Wait, clock: Clock): Promise<boolean> {
  return lockFile(fd, { wait: Math.max(0, (until.getTime() - clock.now().getTime()) / 1000), signal });
}
