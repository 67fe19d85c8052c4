import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const fixtures = new URL('../../compat/fixtures/', import.meta.url);
const id = 'unitcompat18-20261120T165843Z-e752';
let lib: string;

beforeAll(() => {
  lib = mkdtempSync(join(tmpdir(), 'pgbackup-main-'));
  const folder = join(lib, 'data/pgbackup/backups/host-a/unitcompat18', id);
  mkdirSync(folder, { recursive: true });
  cpSync(new URL('v1-18-zstd-native/', fixtures), folder, { recursive: true });
  // It is this host's own: --latest and its like take no other.
  mkdirSync(join(lib, 'data/pgbackup/state'));
  writeFileSync(join(lib, 'data/pgbackup/state/host-id'), 'host-a\n');
});
afterAll(() => rmSync(lib, { recursive: true }));

/** The whole program in a process of its own, on a host that has nothing but a folder of backups: no Dokku, no Docker. */
function pgbackup(...argv: string[]): { status: number | null; stdout: Buffer; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...argv], {
    env: { PATH: '/usr/bin:/bin', DOKKU_LIB_ROOT: lib },
    maxBuffer: 1e7,
  });
  return { status, stdout, err: stderr.toString() };
}

describe('the program', () => {
  it('lists what lies on the disk', () => {
    const { status, stdout, err } = pgbackup('pgbackup:list', '--format', 'json');
    expect([status, err]).toEqual([0, '']);
    expect(JSON.parse(stdout.toString())).toMatchObject([{ id, labels: { level: '1200' }, storage: 'local' }]);
  });

  it('writes an archive to stdout, byte by byte, and nothing else there', () => {
    const { status, stdout, err } = pgbackup('pgbackup:download', 'unitcompat18');
    expect([status, err]).toEqual([0, '']);
    expect(stdout.equals(readFileSync(new URL('v1-18-zstd-native/archive.dump', fixtures)))).toBe(true);
  });

  it('says so with exit code 8 where what it wrote was damaged', () => {
    const damaged = mkdtempSync(join(tmpdir(), 'pgbackup-damaged-'));
    cpSync(lib, damaged, { recursive: true });
    const archive = join(damaged, 'data/pgbackup/backups/host-a/unitcompat18', id, 'archive.dump');
    const bytes = readFileSync(archive);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    spawnSync('tee', [archive], { input: bytes, stdio: ['pipe', 'ignore', 'inherit'] });
    const { status, stderr } = spawnSync(process.execPath, [main, 'pgbackup:download', 'unitcompat18'], {
      env: { PATH: '/usr/bin:/bin', DOKKU_LIB_ROOT: damaged },
    });
    rmSync(damaged, { recursive: true });
    expect(status).toBe(8);
    expect(stderr.toString()).toContain('Do not use the file');
  });

  it('ends with 7 where nobody reads what it writes any more, and does not hang', async () => {
    const child = spawn(process.execPath, [main, 'pgbackup:download', 'unitcompat18'], {
      env: { PATH: '/usr/bin:/bin', DOKKU_LIB_ROOT: lib },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    const [code] = await once(child, 'exit');
    expect(code).toBe(7);
  });

  it.each([
    [[], 2, 'pgbackup:help is not a command'],
    [['pgbackup:nope'], 2, 'pgbackup:nope is not a command'],
    [['pgbackup:run'], 2, "missing required argument 'target'"],
    [['pgbackup:info', 'unitcompat18', 'unitcompat18-20200101T000000Z-aaaa'], 4, 'not found'],
    [['pgbackup:delete', 'unitcompat18', id, '--confirm', id], 5, 'newest proven backup'],
    [['pgbackup:run', 'shop'], 9, 'Cannot run dokku'],
  ])('ends as it should: %j with %d', (argv, code, message) => {
    const { status, stdout, err } = pgbackup(...argv);
    expect([status, stdout.toString()]).toEqual([code, '']);
    expect(err).toContain(message);
    expect(err).not.toContain('This is a bug');
  });

  it('shows causes with --trace alone', () => {
    expect(pgbackup('pgbackup:run', 'shop').err).not.toContain('at ');
    expect(pgbackup('pgbackup:run', 'shop', '--trace').err).toMatch(/Caused by: .*ENOENT/s);
  });
});
