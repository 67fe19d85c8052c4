/** Programs that the tests use or compare ours with. What the lab needs, it brings itself. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './program.ts';
import { say, type Suite } from './suite.ts';

/** Name of the program, and of the Debian package that brings it. */
const wanted = {
  age: 'age',
  bzip2: 'bzip2',
  curl: 'curl',
  git: 'git',
  gpg: 'gnupg',
  openssl: 'openssl',
  pgrep: 'procps',
  python3: 'python3',
  shellcheck: 'shellcheck',
  wget: 'wget',
  xz: 'xz-utils',
} as const;

/** Whether there is such a program on PATH. */
export function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Installs what is missing, where that can be done; else says what to install. */
export const tools: Suite = {
  name: 'tools',
  run: async () => {
    const packages = Object.entries(wanted).flatMap(([program, name]) => (onPath(program) ? [] : [name]));
    if (packages.length === 0) return { passed: 1, failed: 0 };
    const install = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
    if (process.getuid?.() !== 0 || !onPath('apt-get')) {
      say(`Missing: ${packages.join(', ')}. As root: ${install}`);
      return { passed: 0, failed: 1 };
    }
    say(`installing ${packages.join(', ')}`);
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const updated = await runProgram(['apt-get', 'update'], { env, quiet: true });
    return updated === 0 && (await runProgram(install.split(' '), { env, quiet: true })) === 0
      ? { passed: 1, failed: 0 }
      : { passed: 0, failed: 1 };
  },
};
