import { execa } from 'execa';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;

/** What a layer must not do, by the file in which it is done: `[sentence, code, rule]`. */
const imports = (specifiers: readonly string[]): [string, string, string][] =>
  specifiers.map((specifier) => [
    `import ${specifier}`,
    `import * as ${specifier.replaceAll(/\W/g, '_')} from '${specifier}';`,
    'no-restricted-imports',
  ]);

const forbidden: Record<string, [string, string, string][]> = {
  'src/domain/probe.ts': [
    ...imports([
      '../ports.ts',
      '../app/restore.ts',
      '../adapters/process.ts',
      '../cli/output.ts',
      '../main.ts',
      'node:fs',
      'node:fs/promises',
      'node:crypto',
      'execa',
      'commander',
      'cron-parser',
      'age-encryption',
      '@smithy/signature-v4',
    ]),
    ['import lazily what it must not import', `export const x = await import('../adapters/process.ts');`, 'no-restricted-imports'],
    ['re-export what it must not import', `export * from '../app/restore.ts';`, 'no-restricted-imports'],
    ['import the types of a higher layer', `import type { Ports } from '../ports.ts';\nexport type P = Ports;`, 'no-restricted-imports'],
    ['import inside a type', `export type P = import('../ports.ts').Ports;`, 'consistent-type-imports'],
    ['ask the clock', `export const now = Date.now();`, 'no-restricted-properties'],
    ['throw dice', `export const dice = Math.random();`, 'no-restricted-properties'],
    ['read the environment', `export const home = process.env['HOME'];`, 'no-restricted-globals'],
  ],
  'src/ports.ts': [
    ...imports(['./app/restore.ts', './adapters/process.ts', './cli/output.ts', 'node:fs', 'valibot']),
    [
      'import more of the domain than types',
      `import { PgbackupError } from './domain/errors.ts';\nexport const x = PgbackupError;`,
      'no-restricted-imports',
    ],
  ],
  'src/app/probe.ts': imports([
    '../adapters/process.ts',
    '../adapters/storage/local.ts',
    '../cli/output.ts',
    '../main.ts',
    'node:fs',
    'node:child_process',
    'execa',
    'valibot',
    'commander',
    'cron-parser',
    'age-encryption',
    '@smithy/signature-v4',
  ]),
  'src/adapters/probe.ts': imports([
    '../app/restore.ts',
    '../cli/output.ts',
    '../main.ts',
    'commander',
    'chalk',
    'execa',
    'child_process',
    'node:child_process',
    'cron-parser',
    'age-encryption',
    '@smithy/signature-v4',
    '@smithy/credential-provider-imds',
  ]),
  'src/adapters/storage/probe.ts': imports([
    '../../app/restore.ts',
    '../../cli/output.ts',
    'node:child_process',
    'age-encryption',
    '@smithy/signature-v4',
  ]),
  'src/adapters/storage/s3/probe.ts': [
    ...imports([
      '../../../app/restore.ts',
      '../../../cli/output.ts',
      'node:child_process',
      'execa',
      'chalk',
      'cron-parser',
      'age-encryption',
    ]),
    ['import lazily what it must not', `export const x = await import('age-encryption');`, 'no-restricted-imports'],
  ],
  'src/adapters/crypto/probe.ts': imports([
    '../../app/restore.ts',
    '../../cli/output.ts',
    'node:child_process',
    'execa',
    'chalk',
    'cron-parser',
    '@smithy/signature-v4',
    '@aws-sdk/client-s3',
  ]),
  'src/adapters/process.ts': imports([
    '../app/restore.ts',
    '../cli/output.ts',
    'commander',
    'cron-parser',
    'age-encryption',
    '@smithy/signature-v4',
  ]),
  'src/cli/probe.ts': [
    ...imports([
      '../adapters/process.ts',
      '../main.ts',
      'node:fs',
      'node:child_process',
      'execa',
      'valibot',
      'cron-parser',
      'age-encryption',
    ]),
    ['import more of the ports than types', `import * as ports from '../ports.ts';\nexport const x = ports;`, 'no-restricted-imports'],
  ],
  'src/cli/commands/probe.ts': imports(['../../adapters/process.ts', '../../main.ts', 'node:fs']),
  'src/main.ts': imports(['node:child_process', 'execa']),
  'src/app/everywhere.ts': [
    ['say any', `export const x: any = 1;`, 'no-explicit-any'],
    ['assert that something is not null', `export const x = (y: string | undefined): string => y!;`, 'no-non-null-assertion'],
    ['export a default', `export default 1;`, 'no-default-export'],
    ['exit the process', `process.exit(1);`, 'no-process-exit'],
    ['write to the console', `console.log('x');`, 'no-console'],
    ['leave a promise to itself', `const f = async (): Promise<void> => {};\nf();`, 'no-floating-promises'],
    ['throw what is no error', `export const f = (): never => { throw 'x'; };`, 'only-throw-error'],
    [
      'return a promise out of a try',
      `const f = async (): Promise<number> => 1;\nexport const g = async (): Promise<number> => { try { return f(); } catch { return 2; } };`,
      'return-await',
    ],
    [
      'return a promise past the end of a resource',
      `const f = async (): Promise<number> => 1;\nexport const g = async (r: AsyncDisposable): Promise<number> => { await using _r = r; return f(); };`,
      'return-await',
    ],
    [
      'forget a case of a union',
      `export const f = (x: 'a' | 'b'): void => { switch (x) { case 'a': break; } };`,
      'switch-exhaustiveness-check',
    ],
    ['disable a rule that does not fire', `// oxlint-disable-next-line no-console\nexport const x = 1;`, 'unused directive'],
  ],
  'src/app/circle.ts': [['import in a circle', `export * from './back.ts';`, 'no-cycle']],
  'test/unit/probe.test.ts': [
    ['run one test alone', `import { it } from 'vitest';\nit.only('x', () => {});`, 'no-focused-tests'],
    ['skip a test', `import { it } from 'vitest';\nit.skip('x', () => {});`, 'no-disabled-tests'],
  ],
};

const allowed: Record<string, string> = {
  'src/domain/right.ts': `import * as v from 'valibot';\nimport { other } from './other.ts';\nexport const x = v.parse(v.string(), other);`,
  'src/domain/schedule.ts': `import { CronExpressionParser } from 'cron-parser';\nexport const x = [CronExpressionParser, await import('cron-parser')];`,
  'src/domain/other.ts': `export const other = 'x';`,
  'src/app/right.ts': `import { createHash } from 'node:crypto';\nimport { pipeline } from 'node:stream/promises';\nimport { other } from '../domain/other.ts';\nimport type { Ports } from '../ports.ts';\nexport type P = Ports;\nexport const x = [createHash, pipeline, other];`,
  'src/cli/commands/right.ts': `import { other } from '../../domain/other.ts';\nimport type { Ports } from '../../ports.ts';\nexport type P = Ports;\nexport const x = [other, await import('../../app/right.ts')];`,
  'src/adapters/storage/right.ts': `import { open } from 'node:fs/promises';\nimport { other } from '../../domain/other.ts';\nexport const x = [open, other];`,
  'src/adapters/crypto/right.ts': `import { Encrypter } from 'age-encryption';\nexport const x = Encrypter;`,
  'src/adapters/storage/s3/right.ts': `import { SignatureV4 } from '@smithy/signature-v4';\nexport const x = [SignatureV4, await import('@smithy/credential-provider-imds')];`,
  'test/unit/right.test.ts': `import { execa } from 'execa';\nimport { it } from 'vitest';\nit('runs', async () => { await execa('true'); });`,
};

const reportSchema = v.object({
  diagnostics: v.array(v.object({ code: v.optional(v.string(), 'unused directive'), filename: v.string(), message: v.string() })),
});

describe('the linter', () => {
  let folder = '';
  let found: { readonly file: string; readonly rule: string }[] = [];

  /** Where a case is written: files whose name is a rule's hold all their cases, others are numbered. */
  const place = (file: string, index: number): string =>
    ['src/ports.ts', 'src/main.ts', 'src/adapters/process.ts'].includes(file) ? file : file.replace(/\.(test\.)?ts$/, `-${index}.$1ts`);

  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    appendFileSync(join(folder, file), `${text}\n`);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pgbackup-lint-'));
    for (const file of ['.oxlintrc.json', 'tsconfig.json']) cpSync(join(root, file), join(folder, file));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    write('src/app/back.ts', `export * from './circle-0.ts';`);
    for (const [file, text] of Object.entries(allowed)) write(file, text);
    for (const [file, cases] of Object.entries(forbidden)) {
      for (const [index, [, code]] of cases.entries()) write(place(file, index), code);
    }
    const { stdout } = await execa(join(root, 'node_modules/.bin/oxlint'), ['--format', 'json'], { cwd: folder, reject: false });
    const { diagnostics } = v.parse(reportSchema, JSON.parse(stdout));
    found = diagnostics.map(({ code, filename, message }) => ({ file: filename, rule: `${code} ${message}` }));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const [file, cases] of Object.entries(forbidden)) {
    cases.forEach(([deed, code, rule], index) => {
      it(`forbids ${file} to ${deed}`, () => {
        const specifier = /from '([^']+)'/.exec(code)?.[1];
        const here = found.filter((diagnostic) => diagnostic.file === place(file, index)).map((diagnostic) => diagnostic.rule);
        expect(
          here.filter(
            (text) =>
              text.includes(rule) && (rule !== 'no-restricted-imports' || specifier === undefined || text.includes(`'${specifier}'`)),
          ),
        ).not.toEqual([]);
      });
    });
  }

  for (const file of Object.keys(allowed)) {
    it(`lets ${file} be as it is`, () => {
      expect(found.filter((diagnostic) => diagnostic.file === file)).toEqual([]);
    });
  }
});
