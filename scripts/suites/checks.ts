import { built } from './built.ts';
import { shell, shellFormat } from './shell.ts';
import { program, vitest, type Suite } from './suite.ts';

export const checks: readonly Suite[] = [
  program('types (tsc)', ['node_modules/.bin/tsc']),
  program('lint (oxlint)', ['node_modules/.bin/oxlint']),
  program('format (oxfmt)', ['node_modules/.bin/oxfmt', '--check']),
  program('dead code (knip)', ['node_modules/.bin/knip']),
  shell,
  shellFormat,
  built,
  vitest('unit', 'test/unit'),
  vitest('contract', 'test/contract'),
  vitest('compat', 'test/compat'),
];
