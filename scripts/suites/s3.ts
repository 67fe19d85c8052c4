/** The S3 servers of the lab, and the suite that needs nothing else of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { labEnv, labRoot } from './lab.ts';
import { runProgram } from './program.ts';
import { vitest, type Suite } from './suite.ts';

/** Finds or starts them. Everything that runs after this has what s3.env says in its environment. */
export const s3Up: Suite = {
  name: 's3 servers up',
  run: async () => {
    // Without the mark: a dockerd that is started here must outlive the run.
    const env = { ...labEnv, PGBACKUP_TEST_RUN: undefined };
    if ((await runProgram(['test/lab/s3-up', 'rgw', 'swift'], { env })) !== 0) return { passed: 0, failed: 1 };
    for (const line of readFileSync(join(labRoot, 's3.env'), 'utf8').split('\n').filter(Boolean)) {
      const [name = '', value = ''] = line.split(/=(.*)/s);
      process.env[name] = value;
    }
    return { passed: 1, failed: 0 };
  },
};

export const storage: Suite = vitest('storage', 'test/storage', labEnv);
