/** The lab that the suites run in: a Dokku stand-in on real containers, or a real Dokku where there is one. */
import { existsSync, globSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, runProgram } from './program.ts';
import { program, type Suite } from './suite.ts';

/** Of its own, so that what somebody keeps in the default lab is left alone. */
export const labRoot = `${process.env['PGBACKUP_LAB_ROOT'] ?? '/var/lib/pgbackup-lab'}-test`;

/** A `dokku` on PATH that is no stand-in. */
export const realDokku: string | undefined = (process.env['PATH'] ?? '')
  .split(':')
  .map((folder) => join(folder, 'dokku'))
  .find((path) => existsSync(path) && !existsSync(join(dirname(realpathSync(path)), 'dispatch.sh')));

/** Environment of everything that runs in the lab. */
export const labEnv = {
  PGBACKUP_LAB_ROOT: labRoot,
  PGBACKUP_NODE: join(labRoot, 'node/bin/node'),
  PATH: `${labRoot}/bin:${process.env['PATH'] ?? ''}`,
};

export const images = '15,17,18,busybox,s3';

/** Starts from nothing: what an earlier run left, killed or not, goes first. */
export const labUp: Suite = {
  name: 'lab up',
  run: async () => {
    await labDown();
    // Without the mark: a dockerd that is started here must outlive the run.
    return program('', ['test/lab/up', '--images', images], { env: { ...labEnv, PGBACKUP_TEST_RUN: undefined } }).run();
  },
};

/** As a user does. */
export const installPlugin: Suite = program('plugin:install', ['dokku', 'plugin:install', root.replace(/\/$/, ''), 'pgbackup'], {
  env: labEnv,
});

/** Removes what runs in this lab and in those that suites have made for themselves beside it. */
export async function labDown(): Promise<void> {
  for (const folder of globSync([`${labRoot}/`, `${labRoot}-*/`])) {
    await runProgram(['test/lab/down'], { env: { ...labEnv, PGBACKUP_LAB_ROOT: folder.replace(/\/$/, '') }, quiet: true, always: true });
  }
}
