import { closeSync, constants, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Spool, Spools } from '../ports.ts';
import { isAt, isMissing, onDisk } from './files.ts';
import { lockFile } from './flock.ts';

/**
 * Private folders below the plugin's data directory, where the Docker daemon can see them. Each is locked by the
 * process that works in it: a folder without a lock is what a killed one left.
 */
export class FolderSpools implements Spools {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async open(operation: string): Promise<Spool> {
    const path = join(this.#root, operation);
    for (;;) {
      const fd = onDisk(path, () => {
        mkdirSync(path, { recursive: true, mode: 0o700 });
        return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
      });
      // Between the making and the locking, somebody who reclaims may take it for a dead one: then once more.
      if ((await lockFile(fd)) && isAt(fd, path)) {
        return {
          path,
          operation,
          [Symbol.asyncDispose]: async () => {
            rmSync(path, { recursive: true, force: true });
            closeSync(fd);
          },
        };
      }
      closeSync(fd);
    }
  }

  async reclaim(before: (operation: string) => Promise<void>): Promise<void> {
    for (const operation of this.#folders()) {
      const path = join(this.#root, operation);
      const fd = openIfThere(path);
      if (fd === undefined) continue;
      try {
        if (!(await lockFile(fd))) continue;
        await before(operation);
        rmSync(path, { recursive: true, force: true });
      } finally {
        closeSync(fd);
      }
    }
  }

  #folders(): string[] {
    try {
      return readdirSync(this.#root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
