// Everything: the checks, then the suites that need Docker, in a lab of their own.
// usage: npm test | npm run test:host | npm run test:storage
// test.ts host: only the suite that also runs on a real Dokku; test.ts storage: only the S3 servers and what runs on them
import { globSync } from 'node:fs';
import { endMarked, runAlone } from './suites/alone.ts';
import { callerIsGone } from './suites/caller.ts';
import { checks } from './suites/checks.ts';
import { installPlugin, labDown, labEnv, labRoot, labUp, realDokku } from './suites/lab.ts';
import { root, stopPrograms } from './suites/program.ts';
import { s3Up, storage } from './suites/s3.ts';
import { bats, conclude, runSuites, say, vitest, type SideBySide, type Suite } from './suites/suite.ts';
import { tools } from './suites/tools.ts';

const hostSuite = (env: Record<string, string>): Suite => bats('host', 'test/host/*.bats', env);

/** The lab is made while the checks run: the one waits for packages, the others compute. */
function everything(): (Suite | SideBySide)[] {
  return [
    tools,
    {
      lanes: [
        [...checks, bats('shims', 'test/shims/*.bats')],
        [labUp, s3Up],
      ],
    },
    { lanes: [[bats('lab', 'test/lab/*.bats', labEnv)], [storage]] },
    installPlugin,
    hostSuite(labEnv),
    ...faults(),
  ];
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

async function inLab(suites: readonly (Suite | SideBySide)[]): Promise<number> {
  if (process.getuid?.() !== 0) throw new Error('Run as root: the lab starts dockerd and makes user dokku');
  await runAlone(labRoot);
  endWithCaller();
  const total = await runSuites(suites);
  await labDown();
  return conclude(total);
}

const [, , only] = process.argv;
const host = only === 'host';
if (host && realDokku !== undefined) {
  say(`host suite against ${realDokku}`);
  process.exitCode = conclude(await runSuites([tools, s3Up, hostSuite({})]));
} else if (host) {
  process.exitCode = await inLab([tools, labUp, s3Up, installPlugin, hostSuite(labEnv)]);
} else if (only === 'storage') {
  process.exitCode = await inLab([tools, s3Up, storage]);
} else {
  process.exitCode = await inLab(everything());
}
