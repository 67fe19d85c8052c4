/** Counts tests in what the runners report. */

export interface Count {
  readonly passed: number;
  readonly failed: number;
}

export function add(a: Count, b: Count): Count {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed };
}

/** Reads TAP line by line. A skipped test, and one that the plan announces and that never came, count as failed. */
export class TapCounter {
  #planned: number | undefined;
  #passed = 0;
  #failed = 0;

  readonly line = (line: string): void => {
    const plan = /^1\.\.(\d+)/.exec(line);
    if (plan) this.#planned = Number(plan[1]);
    else if (/^not ok \d/.test(line) || /^ok \d+ .*# skip/i.test(line)) this.#failed += 1;
    else if (/^ok \d/.test(line)) this.#passed += 1;
  };

  /** @param exitCode of the runner: a suite that failed has at least one failure. */
  count(exitCode: number): Count {
    const missing = Math.max(0, (this.#planned ?? 0) - this.#passed - this.#failed);
    const failed = this.#failed + missing;
    const silent = failed === 0 && (exitCode !== 0 || this.#passed === 0);
    return { passed: this.#passed, failed: silent ? 1 : failed };
  }
}

/** Reads vitest's JSON report; a file that could not be loaded counts as one failed test. */
export function countVitest(report: unknown, exitCode: number): Count {
  const {
    numPassedTests = 0,
    numFailedTests = 0,
    numPendingTests = 0,
    numTodoTests = 0,
    numFailedTestSuites = 0,
  } = isRecord(report) ? report : {};
  const passed = Number(numPassedTests);
  const failed = Math.max(Number(numFailedTests), Number(numFailedTestSuites) > 0 ? 1 : 0) + Number(numPendingTests) + Number(numTodoTests);
  const silent = failed === 0 && (exitCode !== 0 || passed === 0);
  return { passed, failed: silent ? 1 : failed };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
