import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Machine, systemClock } from '../../../src/adapters/host.ts';
import { Paths } from '../../../src/adapters/paths.ts';
import { withSmallDisk } from '../../tools/small-disk.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'pgbackup-host-'))));
afterEach(() => rmSync(root, { recursive: true }));

describe('the host', () => {
  const clock = { now: () => new Date(), suffix: () => 'k3f9' };

  it('keeps the id that it makes, also when its name changes (pitfall 23)', () => {
    const first = new Machine(root, clock);
    expect(first.id).toMatch(/^[a-z0-9][a-z0-9-]*-k3f9$/);
    expect(first.id.startsWith((hostname().split('.')[0] ?? '').toLowerCase().slice(0, 3))).toBe(true);
    expect(new Machine(root, { ...clock, suffix: () => 'zzzz' }).id).toBe(first.id);
    expect(readFileSync(join(root, 'host-id'), 'utf8')).toBe(`${first.id}\n`);
    writeFileSync(join(root, 'host-id'), 'moved-here\n');
    expect(new Machine(root, clock).id).toBe('moved-here');
  });

  it('makes a new id where a power loss left an empty file', () => {
    writeFileSync(join(root, 'host-id'), '');
    expect(new Machine(root, clock).id).toMatch(/-k3f9$/);
    expect(readFileSync(join(root, 'host-id'), 'utf8')).toMatch(/-k3f9\n$/);
  });

  it('counts the free bytes of the disk that holds a path, and has processors', async () => {
    await withSmallDisk('1m', async (disk) => {
      const machine = new Machine(root, clock);
      expect(await machine.freeBytes(disk)).toBe(1024 * 1024);
      writeFileSync(join(disk, 'half'), Buffer.alloc(512 * 1024));
      expect(await machine.freeBytes(disk)).toBe(512 * 1024);
      expect(machine.processors).toBeGreaterThan(0);
    });
  });
});

describe('the clock', () => {
  it('tells the time', () => {
    const before = Date.now();
    const now = systemClock.now().getTime();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });

  it('gives suffixes of four small letters and digits that differ', () => {
    const suffixes = Array.from({ length: 200 }, () => systemClock.suffix());
    for (const suffix of suffixes) expect(suffix).toMatch(/^[a-z0-9]{4}$/);
    expect(new Set(suffixes).size).toBeGreaterThan(190);
  });
});

describe('the paths', () => {
  it('are those of Dokku where nothing is said', () => {
    const paths = new Paths({});
    expect([paths.state, paths.spool, paths.backups, paths.config]).toEqual([
      '/var/lib/dokku/data/pgbackup/state',
      '/var/lib/dokku/data/pgbackup/spool',
      '/var/lib/dokku/data/pgbackup/backups',
      '/var/lib/dokku/config/pgbackup',
    ]);
    expect(new Paths({ DOKKU_LIB_ROOT: '' }).data).toBe('/var/lib/dokku/data/pgbackup');
  });

  it('follow DOKKU_LIB_ROOT', () => expect(new Paths({ DOKKU_LIB_ROOT: '/lab/lib/' }).spool).toBe('/lab/lib/data/pgbackup/spool'));

  it('are the same for Docker where Dokku runs on the host', () => {
    expect(new Paths({}).onHost('/mnt/anywhere')).toBe('/mnt/anywhere');
    expect(new Paths({ DOKKU_LIB_HOST_ROOT: '/var/lib/dokku' }).onHost('/mnt/anywhere')).toBe('/mnt/anywhere');
  });

  it('are translated for Docker where Dokku runs in a container, as far as they are known outside (pitfall 50)', () => {
    const paths = new Paths({ DOKKU_LIB_ROOT: '/mnt/dokku', DOKKU_LIB_HOST_ROOT: '/srv/dokku/' });
    expect(paths.onHost('/mnt/dokku/data/pgbackup/spool/x')).toBe('/srv/dokku/data/pgbackup/spool/x');
    expect(paths.onHost('/mnt/dokku2/x')).toBeUndefined();
    expect(paths.onHost('/tmp/x')).toBeUndefined();
  });
});
