/** Kinds of suites, and how a list of them is run. */
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { add, countVitest, TapCounter, type Count } from './count.ts';
import { besides, write } from './lane.ts';
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
  write(`${text}\n`);
}

/** Two lists of suites, each in its order, side by side: half of what they do is waiting. */
export interface SideBySide {
  readonly lanes: readonly [readonly Suite[], readonly Suite[]];
}

/** Runs every suite, also after one that failed, then says what came of each. @returns the sum. */
export async function runSuites(suites: readonly (Suite | SideBySide)[]): Promise<Count> {
  const results: Result[] = [];
  for (const entry of suites) {
    if ('run' in entry) results.push(await timed(entry));
    else
      for (const lane of await besides(
        () => inOrder(entry.lanes[0]),
        () => inOrder(entry.lanes[1]),
      ))
        results.push(...lane);
  }
  say(`\n${results.map(({ line }) => line).join('\n')}`);
  return results.reduce((sum, { count }) => add(sum, count), { passed: 0, failed: 0 });
}

interface Result {
  readonly count: Count;
  readonly line: string;
}

async function inOrder(suites: readonly Suite[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const suite of suites) results.push(await timed(suite));
  return results;
}

async function timed(suite: Suite): Promise<Result> {
  say(`\n==> ${suite.name}`);
  const started = performance.now();
  const count = await suite.run();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = count.failed === 0 ? '  ok    ' : '  FAILED';
  return {
    count,
    line: `${verdict}  ${suite.name.padEnd(28)} ${seconds.padStart(7)} s   ${count.passed} passed, ${count.failed} failed`,
  };
}

/** The last line of every run. @returns the exit code. */
export function conclude({ passed, failed }: Count): number {
  say(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}
