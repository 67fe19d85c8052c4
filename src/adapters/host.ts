import { availableParallelism, hostname } from 'node:os';
import { realpathSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Host, Pause } from '../ports.ts';
import { readIfThere, writeDurably } from './files.ts';

/** The clock of the machine, and chance from the kernel. */
export const systemClock: Clock = {
  now: () => new Date(),
  suffix: () =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(8)))
      .toString('hex')
      .replaceAll(/[^a-z0-9]/g, '')
      .slice(0, 4),
};

export const pause: Pause = async (milliseconds, signal) => {
  await sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted());
};

/** This machine. Its id is made once and kept, so that two hosts of one name never take each other's backups for their own. */
export class Machine implements Host {
  readonly id: string;
  readonly processors = availableParallelism();
  #timeZone: string | undefined;

  constructor(state: string, clock: Clock) {
    const path = join(state, 'host-id');
    const kept = readIfThere(path)?.trim();
    this.id = kept || makeHostId(clock);
    if (!kept) writeDurably(path, `${this.id}\n`);
  }

  /** Found when it is asked for: the first use of Intl costs as much as half of Node's own start. */
  get timeZone(): string {
    return (this.#timeZone ??= hostTimeZone());
  }

  async freeBytes(path: string): Promise<number> {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  }
}

/** cron goes by /etc/localtime; the TZ that somebody brings along by `sudo -E` is not the host's. */
function hostTimeZone(): string {
  try {
    const [, zone] = /zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(realpathSync('/etc/localtime')) ?? [];
    if (zone !== undefined) return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    // No such file, or a zone that this Node does not know.
  }
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function makeHostId(clock: Clock): string {
  const name = hostname().split('.')[0] ?? '';
  return `${
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '')
      .slice(0, 40) || 'host'
  }-${clock.suffix()}`;
}
