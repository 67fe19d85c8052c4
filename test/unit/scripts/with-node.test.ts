import { execa } from 'execa';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = new URL('../../../scripts/with-node', import.meta.url).pathname;

/** All that it needs: the PATH of these tests holds no Node of this machine. */
const tools = ['bash', 'chmod', 'dirname', 'echo', 'env', 'flock', 'mkdir', 'mktemp', 'mv', 'rm', 'uname'];

describe('with-node', () => {
  let root = '';
  const path = (...parts: string[]): string => join(root, ...parts);
  const calls = (): string => (existsSync(path('calls')) ? readFileSync(path('calls'), 'utf8') : '');

  const program = (file: string, body: string): void => {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, `#!/bin/bash\n${body}\n`);
    chmodSync(file, 0o755);
  };
  const node = (folder: string, version: string): void => program(path(folder, 'node'), `echo ${version}`);

  /** `npm` that notes its calls and makes what the real one would make. */
  const npm = (does: string): void => program(path('bin', 'npm'), `echo "$*" >>${path('calls')}\n${does}`);
  const installs =
    'while (($# > 0)); do [[ $1 != --prefix ]] || prefix=$2; shift; done\nfor arch in x64 arm64; do d=$prefix/node_modules/node-linux-$arch/bin; mkdir -p $d; printf "#!/bin/bash\\necho v24.1.0\\n" >$d/node; chmod 755 $d/node; done';

  const run = async (...command: string[]): Promise<{ stdout: string; stderr: string; exitCode: number | undefined }> => {
    const PATH = [path('bin'), path('second'), path('tools')].join(':');
    const { stdout, stderr, exitCode } = await execa(path('checkout/scripts/with-node'), command, { reject: false, env: { PATH } });
    return { stdout, stderr, exitCode };
  };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'pgbackup-with-node-'));
    mkdirSync(path('checkout/scripts'), { recursive: true });
    cpSync(script, path('checkout/scripts/with-node'));
    mkdirSync(path('checkout/node_modules'));
    writeFileSync(path('checkout/package-lock.json'), '{}');
    writeFileSync(path('checkout/node_modules/.package-lock.json'), '{}');
    utimesSync(path('checkout/package-lock.json'), 1000, 1000);
    node('bin', 'v20.20.0');
    npm('exit 1');
    mkdirSync(path('tools'));
    for (const tool of tools) symlinkSync(existsSync(`/usr/bin/${tool}`) ? `/usr/bin/${tool}` : `/bin/${tool}`, path('tools', tool));
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('takes the first Node on PATH that suits', async () => {
    node('second', 'v24.9.0');
    const result = await run('node');
    expect([result.stdout, result.stderr, calls()]).toEqual(['v24.9.0', '', '']);
  });

  it('does not take a Node that cannot run TypeScript', async () => {
    node('second', 'v22.17.0');
    npm(installs);
    expect((await run('node')).stdout).toBe('v24.1.0');
  });

  it('fetches a Node once where PATH has none, and says so', async () => {
    npm(installs);
    const first = await run('node');
    const second = await run('node');
    expect([first.stdout, second.stdout]).toEqual(['v24.1.0', 'v24.1.0']);
    expect(first.stderr).toMatch(/^with-node: no Node >= 22\.18 on PATH: installing node-linux-(x64|arm64)@24 into \.cache\/node$/);
    expect(second.stderr).toBe('');
    expect(calls().trim().split('\n')).toHaveLength(1);
  });

  it('says what to do when no Node can be fetched, and leaves nothing that looks like one', async () => {
    const result = await run('node');
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('with-node: npm could not install node-linux-');
    expect(existsSync(path('checkout/.cache/node'))).toBe(false);
  });

  it.each([
    ['missing', (): void => rmSync(path('checkout/node_modules'), { recursive: true })],
    ['half installed', (): void => rmSync(path('checkout/node_modules/.package-lock.json'))],
    ['older than package-lock.json', (): void => utimesSync(path('checkout/node_modules/.package-lock.json'), 500, 500)],
  ])('installs the packages when node_modules is %s', async (_, arrange) => {
    node('second', 'v24.9.0');
    npm('mkdir -p node_modules; echo {} >node_modules/.package-lock.json');
    arrange();
    const result = await run('echo', 'done');
    expect(result.stdout).toBe('done');
    expect(result.stderr).toBe('with-node: installing the packages of package-lock.json (npm ci)');
    expect(calls()).toMatch(/^ci /);
    expect((await run('echo', 'again')).stderr).toBe('');
  });

  it('hands arguments, exit code and streams of the command through', async () => {
    node('second', 'v24.9.0');
    const result = await run('bash', '-c', 'printf "<%s>" "$@"; echo problem >&2; exit 7', 'bash', 'a b', '', '*');
    expect([result.stdout, result.stderr, result.exitCode]).toEqual(['<a b><><*>', 'problem', 7]);
  });
});
