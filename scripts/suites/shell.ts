/** Every bash file of the repository: by ending, or by its first line. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { root, runProgram } from './program.ts';
import { program, say, type Suite } from './suite.ts';
import { onPath } from './tools.ts';

const apart = new Set(['.git', '.cache', 'node_modules', 'dist', 'coverage']);

export function shellFiles(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return apart.has(entry.name) ? [] : shellFiles(path);
    return entry.isFile() && isShell(path) ? [path] : [];
  });
}

function isShell(path: string): boolean {
  if (/\.(sh|bash|bats)$/.test(path)) return true;
  if (/\.[a-z]+$/.test(path)) return false;
  const start = Buffer.alloc(32);
  const fd = openSync(join(root, path), 'r');
  readSync(fd, start, 0, start.length, 0);
  closeSync(fd);
  return /^#!\/(usr\/bin\/env |bin\/)(bash|bats)/.test(start.toString('latin1'));
}

export const shell: Suite = {
  name: 'shell (shellcheck)',
  run: async () => {
    const files = shellFiles();
    if (!onPath('shellcheck')) {
      say('shellcheck is missing: apt-get install shellcheck');
      return { passed: 0, failed: 1 };
    }
    // In tests, bats and the file that sources a helper bring variables together, and quoted code is for other shells.
    const tests = files.filter((file) => /^test\/.*\.(bats|bash)$/.test(file));
    const others = files.filter((file) => !tests.includes(file));
    const codes = [
      await runProgram(['shellcheck', ...others]),
      await runProgram(['shellcheck', '--exclude=SC2016,SC2030,SC2031,SC2034,SC2119,SC2120,SC2154', ...tests]),
    ];
    return codes.every((code) => code === 0) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  },
};

/** Format only where shfmt is at hand: Debian 12 does not bring it. */
export const shellFormat: Suite = {
  name: 'shell (shfmt)',
  run: async () => {
    if (onPath('shfmt'))
      return program('', ['shfmt', '-d', '-i', '2', '-ci', ...shellFiles().filter((file) => !file.endsWith('.bats'))]).run();
    say('shfmt is not installed: the format of shell files is not checked');
    return { passed: 0, failed: 0 };
  },
};
