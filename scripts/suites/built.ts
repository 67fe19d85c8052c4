/** dist/ and docs/commands.md must be what the build makes of src/. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './program.ts';
import { say, type Suite } from './suite.ts';

export const built: Suite = {
  name: 'dist is what is built',
  run: async () => {
    const fresh = mkdtempSync(join(tmpdir(), 'pgbackup-build-'));
    try {
      const codes = [
        await runProgram(['node', 'scripts/build.mjs', fresh]),
        await runProgram(['diff', '-r', '--brief', 'dist', join(fresh, 'dist')]),
        await runProgram(['diff', '-u', 'docs/commands.md', join(fresh, 'docs/commands.md')]),
      ];
      if (codes.every((code) => code === 0)) return { passed: 1, failed: 0 };
      say('Run: npm run build');
      return { passed: 0, failed: 1 };
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  },
};
