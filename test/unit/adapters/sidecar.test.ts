import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Sidecar } from '../../../src/adapters/docker/sidecar.ts';

let folder: string;
const before = process.env['DOCKER_BIN'];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgbackup-docker-'));
  process.env['DOCKER_BIN'] = join(folder, 'docker');
});
afterEach(() => {
  if (before === undefined) delete process.env['DOCKER_BIN'];
  else process.env['DOCKER_BIN'] = before;
  rmSync(folder, { recursive: true });
});

/** A docker of a host whose kernel takes what the pattern does not match. */
function makeDocker(refused: string): void {
  const script = `#!/bin/bash
echo "$*" >>'${folder}/calls'
[[ $1 == run ]] || exit 0
if [[ "$*" == *${refused}* ]]; then echo 'OCI runtime create failed: io.weight: no such file' >&2; exit 125; fi
echo ready
exec cat >/dev/null
`;
  writeFileSync(join(folder, 'docker'), script);
  chmodSync(join(folder, 'docker'), 0o755);
}

const runs = (): string[] =>
  readFileSync(join(folder, 'calls'), 'utf8')
    .split('\n')
    .filter((call) => call.startsWith('run '));

const options = { image: 'postgres:18', operation: 'shop-20261120T031500Z-k3f9', networkOf: 'c0ffee', mounts: [], env: {} };

describe('a sidecar', () => {
  it('takes no option of docker for the name of its image', async () => {
    makeDocker('nothing');
    for (const image of ['--env-file', '-v/:/host', '', 'a b', 'a\nb'])
      await expect(Sidecar.open({ ...options, image })).rejects.toMatchObject({
        code: 'docker',
        message: `"${image}" is no name of an image`,
      });
    for (const image of ['postgres:18.4', 'registry.local:5000/team/pg_ext@sha256:0a', 'pgbackup-lab/postgres:18-a'])
      await (await Sidecar.open({ ...options, image }))[Symbol.asyncDispose]();
    expect(runs()).toHaveLength(3);
  });

  it('has as much of the machine as anybody, unless it is told otherwise', async () => {
    makeDocker('--none');
    await (await Sidecar.open(options))[Symbol.asyncDispose]();
    await (await Sidecar.open({ ...options, shares: { cpu: 256, io: undefined } }))[Symbol.asyncDispose]();
    await (await Sidecar.open({ ...options, shares: { cpu: 100, io: 50 } }))[Symbol.asyncDispose]();
    const [plain, half, both] = runs();
    expect(plain).not.toMatch(/--cpu-shares|--blkio-weight/);
    expect(half).toMatch(/ --cpu-shares 256 (?!.*--blkio-weight)/);
    expect(both).toMatch(/ --cpu-shares 100 --blkio-weight 50 /);
  });

  it('starts without its shares where the kernel refuses them: to give way is a courtesy, a backup is not', async () => {
    makeDocker('--blkio-weight');
    await (await Sidecar.open({ ...options, shares: { cpu: 256, io: 50 } }))[Symbol.asyncDispose]();
    expect(runs()).toHaveLength(2);
    expect(runs()[1]).not.toContain('--blkio-weight');
  });

  it('that cannot start at all says why', async () => {
    makeDocker('run');
    await expect(Sidecar.open({ ...options, shares: { cpu: 256, io: 50 } })).rejects.toMatchObject({
      code: 'docker',
      message: expect.stringContaining('io.weight: no such file'),
    });
  });
});
