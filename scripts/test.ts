// Everything: the checks, then the suites that need Docker, in a lab of their own.
// usage: npm test | npm run test:host   (test.ts host: only the suite that also runs on a real Dokku)
import { globSync } from 'node:fs';
import { endMarked, runAlone } from './suites/alone.ts';
import { callerIsGone } from './suites/caller.ts';
import { checks } from './suites/checks.ts';
import { installPlugin, labDown, labEnv, labRoot, labUp, realDokku } from './suites/lab.ts';
import { root, stopPrograms } from './suites/program.ts';
import { bats, conclude, runSuites, say, vitest, type Suite } from './suites/suite.ts';

const hostSuite = (env: Record<string, string>): Suite => bats('host', 'test/host/*.bats', env);

function labSuites(): Suite[] {
  return [bats('lab', 'test/lab/*.bats', labEnv), installPlugin, hostSuite(labEnv), ...faults()];
}

/** Whatever there is of both kinds; neither is a failure. */
function faults(): Suite[] {
  const typed = globSync('test/faults/**/*.test.ts', { cwd: root }).length > 0;
  const shell = globSync('test/faults/*.bats', { cwd: root }).length > 0;
  return [
    ...(shell || !typed ? [bats('faults', 'test/faults/*.bats', labEnv)] : []),
    ...(typed ? [vitest('faults (vitest)', 'test/faults', labEnv)] : []),
  ];
}

/** Ends with the terminal, with Ctrl-C and with npm: nothing of ours works on for nobody. */
function endWithCaller(): void {
  const stop = (): void => {
    stopPrograms();
    endMarked(labRoot);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      say(`\n${signal}: cleaning up`);
      process.exitCode = 130;
      stop();
    });
  }
  setInterval(() => {
    if (callerIsGone()) stop();
  }, 1000).unref();
}

async function inLab(suites: readonly Suite[]): Promise<number> {
  if (process.getuid?.() !== 0) throw new Error('Run as root: the lab starts dockerd and makes user dokku');
  await runAlone(labRoot);
  endWithCaller();
  const total = await runSuites(suites);
  await labDown();
  return conclude(total);
}

const host = process.argv[2] === 'host';
if (host && realDokku !== undefined) {
  say(`host suite against ${realDokku}`);
  process.exitCode = conclude(await runSuites([hostSuite({})]));
} else if (host) {
  process.exitCode = await inLab([labUp, installPlugin, hostSuite(labEnv)]);
} else {
  process.exitCode = await inLab([...checks, bats('shims', 'test/shims/*.bats'), labUp, ...labSuites()]);
}
