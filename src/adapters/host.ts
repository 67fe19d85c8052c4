import { availableParallelism, hostname } from 'node:os';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Host } from '../ports.ts';
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

/** This machine. Its id is made once and kept, so that two hosts of one name never take each other's backups for their own. */
export class Machine implements Host {
  readonly id: string;
  readonly processors = availableParallelism();

  constructor(state: string, clock: Clock) {
    const path = join(state, 'host-id');
    const kept = readIfThere(path)?.trim();
    this.id = kept || makeHostId(clock);
    if (!kept) writeDurably(path, `${this.id}\n`);
  }

  async freeBytes(path: string): Promise<number> {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  }
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
