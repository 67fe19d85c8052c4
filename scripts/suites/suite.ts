/** Kinds of suites, and how a list of them is run. */
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { add, countVitest, TapCounter, type Count } from './count.ts';
import { root, runProgram, type ProgramOptions } from './program.ts';

export interface Suite {
  readonly name: string;
  run(): Promise<Count>;
}

type Env = NonNullable<ProgramOptions['env']>;

/** One program that must exit 0: counts as one test. */
export function program(name: string, command: readonly string[], options: ProgramOptions = {}): Suite {
  return {
    name,
    run: async () => ((await runProgram(command, options)) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }),
  };
}

/** The bats files of a folder. */
export function bats(name: string, pattern: string, env: Env = {}): Suite {
  return {
    name,
    run: async () => {
      const files = globSync(pattern, { cwd: root }).sort();
      if (files.length === 0) return nothing(pattern);
      const tap = new TapCounter();
      const exitCode = await runProgram(['node_modules/bats/bin/bats', '--tap', '--timing', ...files], { env, onLine: tap.line });
      return tap.count(exitCode);
    },
  };
}

/** The vitest files of a folder. */
export function vitest(name: string, folder: string, env: Env = {}): Suite {
  return {
    name,
    run: async () => {
      if (globSync(`${folder}/**/*.test.ts`, { cwd: root }).length === 0) return nothing(`${folder}/**/*.test.ts`);
      const reports = mkdtempSync(join(tmpdir(), 'pgbackup-report-'));
      const report = join(reports, 'vitest.json');
      try {
        const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
        const exitCode = await runProgram(['node_modules/.bin/vitest', 'run', `${folder}/`, ...reporters], { env });
        return countVitest(existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined, exitCode);
      } finally {
        rmSync(reports, { recursive: true, force: true });
      }
    },
  };
}

function nothing(pattern: string): Count {
  say(`no file matches ${pattern}: a suite without tests is a failed one`);
  return { passed: 0, failed: 1 };
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Runs every suite, also after one that failed, then says what came of each. @returns the sum. */
export async function runSuites(suites: readonly Suite[]): Promise<Count> {
  let total: Count = { passed: 0, failed: 0 };
  const table: string[] = [];
  for (const suite of suites) {
    say(`\n==> ${suite.name}`);
    const started = performance.now();
    const count = await suite.run();
    total = add(total, count);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    table.push(
      `${count.failed === 0 ? '  ok    ' : '  FAILED'}  ${suite.name.padEnd(28)} ${seconds.padStart(7)} s   ${count.passed} passed, ${count.failed} failed`,
    );
  }
  say(`\n${table.join('\n')}`);
  return total;
}

/** The last line of every run. @returns the exit code. */
export function conclude({ passed, failed }: Count): number {
  say(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}
