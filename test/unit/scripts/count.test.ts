import { describe, expect, it } from 'vitest';
import { countVitest, TapCounter } from '../../../scripts/suites/count.ts';

function tap(lines: readonly string[], exitCode: number): { passed: number; failed: number } {
  const counter = new TapCounter();
  for (const line of lines) counter.line(line);
  return counter.count(exitCode);
}

describe('counting TAP', () => {
  it.each([
    ['all that passed', ['1..2', 'ok 1 a in 3ms', 'ok 2 b'], 0, { passed: 2, failed: 0 }],
    ['a failure among them', ['1..2', 'ok 1 a', 'not ok 2 b', '# ok 3 is no result'], 1, { passed: 1, failed: 1 }],
    ['a skipped test as failed', ['1..2', 'ok 1 a', 'ok 2 b # skip not today'], 0, { passed: 1, failed: 1 }],
    ['tests that were announced and never came as failed', ['1..5', 'ok 1 a', 'ok 2 b'], 1, { passed: 2, failed: 3 }],
    ['a runner that fails without a failed test as one failure', ['1..1', 'ok 1 a'], 1, { passed: 1, failed: 1 }],
    ['a runner that ran nothing as one failure', ['1..0'], 0, { passed: 0, failed: 1 }],
    ['a runner that said nothing as one failure', [], 127, { passed: 0, failed: 1 }],
  ])('counts %s', (_, lines, exitCode, expected) => {
    expect(tap(lines, exitCode)).toEqual(expected);
  });
});

describe("counting vitest's report", () => {
  it.each([
    ['all that passed', { numPassedTests: 3 }, 0, { passed: 3, failed: 0 }],
    ['failures', { numPassedTests: 3, numFailedTests: 2, numFailedTestSuites: 1 }, 1, { passed: 3, failed: 2 }],
    ['a file that could not be loaded as a failure', { numPassedTests: 3, numFailedTestSuites: 1 }, 1, { passed: 3, failed: 1 }],
    ['skipped tests and todos as failed', { numPassedTests: 3, numPendingTests: 1, numTodoTests: 1 }, 0, { passed: 3, failed: 2 }],
    ['an error outside of any test as a failure', { numPassedTests: 3 }, 1, { passed: 3, failed: 1 }],
    ['no report at all as a failure', undefined, 1, { passed: 0, failed: 1 }],
    ['no test at all as a failure', { numPassedTests: 0 }, 0, { passed: 0, failed: 1 }],
  ])('counts %s', (_, report, exitCode, expected) => {
    expect(countVitest(report, exitCode)).toEqual(expected);
  });
});
