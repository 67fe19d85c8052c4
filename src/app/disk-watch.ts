import { PgbackupError } from '../domain/errors.ts';
import { formatBytes } from '../domain/format.ts';
import type { Ports } from '../ports.ts';

const interval = 250;
const mebibyte = 1024 ** 2;

/**
 * Looks at a disk while it is filled. A server whose disk is full dies with all of its databases, the live one too:
 * whoever fills it stops before, and makes room again. How much a dump grows to can only be guessed beforehand.
 */
export class DiskWatch implements Disposable {
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;

  private constructor(host: Ports['host'], path: string, service: string, floor: number) {
    this.#timer = setInterval(() => {
      host.freeBytes(path).then(
        (free) => {
          if (free < floor) this.#stop.abort(full(service, free));
        },
        () => {},
      );
    }, interval);
  }

  /** The floor: 512 MiB, or where there is less than four times that to begin with, a quarter of it. */
  static async begin(host: Ports['host'], path: string, service: string): Promise<DiskWatch> {
    return new DiskWatch(host, path, service, Math.min(512 * mebibyte, (await host.freeBytes(path)) / 4));
  }

  /** Fires with the error to throw. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function full(service: string, free: number): PgbackupError {
  return new PgbackupError(
    'refused',
    `Restore stopped: the disk of service ${service} was filling up (${formatBytes(free)} left), and with it full the live database would go down`,
    { hint: `The scratch database is dropped. Free some space on that disk, or restore into a service on another host` },
  );
}
