import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PgbackupError } from '../domain/errors.ts';
import type { ServiceName } from '../domain/names.ts';
import type { Clock } from '../ports.ts';
import { isAt, isMissing, onDisk } from './files.ts';
import { lockFile, type LockOptions } from './flock.ts';
import { noteHolder, readHolder } from './lock-holder.ts';
import { serviceState } from './state.ts';

const suffix = '.lock';
/** Together with other readers, who wait for a removal that has begun: what is gone then is told by the reading. */
const asReader: LockOptions = { shared: true, wait: 10 };
/** Alone, and patient with those who only look who reads. */
const asRemover: LockOptions = { wait: 1 };

/**
 * Who reads which backup. A file for each backup that is being read: readers share its flock(2), and whoever removes
 * the backup needs it alone. The kernel drops the locks of a killed reader; its file then tells nothing and goes.
 */
export class ReaderMarks {
  readonly #state: string;
  readonly #clock: Clock;

  constructor(state: string, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  async reading(service: ServiceName, id: string, purpose: string): Promise<AsyncDisposable> {
    const { fd, path } = await this.#lock(service, id, asReader);
    if (fd === undefined) throw new PgbackupError('locked', `Backup ${id} is being removed`, { hint: 'Choose another' });
    noteHolder(fd, { pid: process.pid, purpose, since: this.#clock.now().toISOString() });
    return {
      [Symbol.asyncDispose]: async () => {
        // The last one to read takes the file away. What was read is read, whatever becomes of the file.
        if (await lockFile(fd).catch(() => false)) rmSync(path, { force: true });
        closeSync(fd);
      },
    };
  }

  async removing(service: ServiceName, id: string): Promise<AsyncDisposable> {
    const { fd, path } = await this.#lock(service, id, asRemover);
    if (fd === undefined) {
      throw new PgbackupError('locked', `Backup ${id} is being read by ${readHolder(path)}`, {
        hint: 'Wait for it to end, then try again',
      });
    }
    return {
      [Symbol.asyncDispose]: async () => {
        rmSync(path, { force: true });
        closeSync(fd);
      },
    };
  }

  async readers(service: ServiceName): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const file of filesIn(this.#folder(service))) {
      const id = file.slice(0, -suffix.length);
      const path = join(this.#folder(service), file);
      const { fd } = await this.#lock(service, id);
      if (fd === undefined) found.set(id, readHolder(path));
      else {
        rmSync(path, { force: true });
        closeSync(fd);
      }
    }
    return found;
  }

  /** The open file with its lock; no `fd` where somebody else is in the way. */
  async #lock(service: ServiceName, id: string, options: LockOptions = {}): Promise<{ fd: number | undefined; path: string }> {
    const folder = this.#folder(service);
    // The suffix also makes a file name of an id like `..`, which a key of an object may hold.
    const path = join(folder, id + suffix);
    for (;;) {
      const fd = onDisk(path, () => {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        return openSync(path, 'a+', 0o600);
      });
      const locked = await lockFile(fd, options);
      // Between the opening and the locking another may have taken the file away: then its lock says nothing.
      if (locked && isAt(fd, path)) return { fd, path };
      closeSync(fd);
      if (!locked) return { fd: undefined, path };
    }
  }

  #folder(service: ServiceName): string {
    return join(serviceState(this.#state, service), 'reading');
  }
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((file) => file.endsWith(suffix));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
