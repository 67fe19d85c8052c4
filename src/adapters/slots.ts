import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PgbackupError } from '../domain/errors.ts';
import type { Clock, Slots, Wait } from '../ports.ts';
import { onDisk } from './files.ts';
import { lockFile } from './flock.ts';
import { lockInTime } from './locks.ts';

/**
 * Places for scheduled runs, each a file that is locked by whoever has it. Only one waits for a place to become free,
 * and the others for being that one: the kernel hands a lock on in the order in which it was asked for.
 */
export class FileSlots implements Slots {
  readonly #folder: string;
  readonly #clock: Clock;

  constructor(state: string, clock: Clock) {
    this.#folder = join(state, 'slots');
    this.#clock = clock;
  }

  async take(count: number, wait: Wait): Promise<AsyncDisposable> {
    const turn = this.#open('turn');
    try {
      const free = await this.#free(count);
      if (free !== undefined) return place(free);
      wait.waiting(`${count} scheduled ${count === 1 ? 'run is' : 'runs are'} under way on this host`);
      if (await lockInTime(turn, wait, this.#clock)) {
        do {
          const found = await this.#free(count);
          if (found !== undefined) return place(found);
          await sleep(1000, undefined, { signal: wait.signal });
        } while (this.#clock.now() < wait.until);
      }
    } catch (error) {
      wait.signal.throwIfAborted();
      throw error;
    } finally {
      closeSync(turn);
    }
    throw new PgbackupError('locked', `${count} scheduled ${count === 1 ? 'run' : 'runs'} kept this host busy for too long`, {
      hint: 'More at a time: dokku pgbackup:set --global max-concurrent <n>',
    });
  }

  async #free(count: number): Promise<number | undefined> {
    for (let i = 0; i < count; i += 1) {
      const fd = this.#open(String(i));
      if (await lockFile(fd)) return fd;
      closeSync(fd);
    }
    return undefined;
  }

  #open(name: string): number {
    const path = join(this.#folder, name);
    return onDisk(path, () => {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      return openSync(path, 'a', 0o600);
    });
  }
}

function place(fd: number): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => closeSync(fd) };
}
