import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalStorage } from '../../src/adapters/storage/local.ts';
import { chunksOf, failure, keysIn, noise } from '../tools/bytes.ts';
import { asOrdinaryUser, openToEverybody } from '../tools/ordinary-user.ts';
import { withSmallDisk } from '../tools/small-disk.ts';
import { describeStorageContract } from './storage.ts';

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describeStorageContract('local', async () => {
  const root = mkdtempSync(join(tmpdir(), 'pgbackup-storage-'));
  return { storage: new LocalStorage(join(root, 'backups')), [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true }) };
});

describe('the local storage', () => {
  let root: string;
  let place: string;
  let storage: LocalStorage;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'pgbackup-local-'));
    place = join(root, 'backups');
    storage = new LocalStorage(place);
  });

  afterEach(() => rmSync(root, { recursive: true }));

  const tree = (): string[] => (existsSync(place) ? readdirSync(place, { recursive: true }).map(String).toSorted() : []);
  const text = (words: string): AsyncGenerator<Uint8Array> => chunksOf(Buffer.from(words));

  it('makes files of mode 0640 and folders of mode 0750 at most, never more than the umask lets it', async () => {
    const before = process.umask(0);
    try {
      await storage.put('h/s/k', text('x'));
      process.umask(0o077);
      await storage.put('private/k', text('x'));
    } finally {
      process.umask(before);
    }
    expect([mode(join(place, 'h/s/k')), mode(join(place, 'h')), mode(join(place, 'h/s'))]).toEqual(['640', '750', '750']);
    expect([mode(join(place, 'private/k')), mode(join(place, 'private'))]).toEqual(['600', '700']);
  });

  it('says where an object lies, as a path that can be read', async () => {
    await storage.put('h/k', text('here'));
    expect(readFileSync(storage.filePath('h/k'), 'utf8')).toBe('here');
  });

  it('never makes a place that somebody chose: it may be a disk that is not mounted', async () => {
    const absent = join(root, 'absent');
    const given = new LocalStorage(absent, true);
    const refusal = { code: 'storage', hint: expect.stringContaining(`install -d -m 0750 -o dokku -g dokku ${absent}`) };
    await expect(given.put('a/b', text('x'))).rejects.toMatchObject(refusal);
    await expect(keysIn(given, '')).rejects.toMatchObject(refusal);
    expect(existsSync(absent)).toBe(false);
  });

  it('takes a place with slashes at its end for the same place', async () => {
    const slashed = new LocalStorage(`${place}//`);
    await slashed.put('h/k', text('x'));
    expect(slashed.place).toBe(place);
    expect(await keysIn(slashed, 'h/')).toEqual(['h/k']);
    await slashed.delete('h/k');
    expect(tree()).toEqual([]);
  });

  it.each(['../outside', 'a/../../outside', '/etc/passwd/../../outside', '..', ''])(
    'refuses the key "%s", which is no place below its own',
    async (key) => {
      const outside = join(root, 'outside');
      writeFileSync(outside, 'precious');
      for (const work of [
        () => storage.put(key, text('x')),
        () => storage.get(key),
        () => storage.readText(key),
        () => storage.delete(key),
        () => storage.head(key),
      ]) {
        expect(await failure(work())).toMatchObject({ code: 'storage', message: expect.stringContaining('is no key') });
      }
      expect(() => storage.filePath(key)).toThrow('is no key');
      expect(readFileSync(outside, 'utf8')).toBe('precious');
    },
  );

  it('removes folders that a delete leaves empty, but never its root and nothing that holds something', async () => {
    await storage.put('h/s/one/k', text('1'));
    await storage.put('h/s/two/k', text('2'));
    await storage.delete('h/s/one/k');
    expect(tree()).toEqual(['h', 'h/s', 'h/s/two', 'h/s/two/k']);
    writeFileSync(join(place, 'h/README'), 'put here by a person');
    await storage.delete('h/s/two/k');
    expect(tree()).toEqual(['h', 'h/README']);
    rmSync(join(place, 'h/README'));
    await storage.delete('h/nothing');
    expect(tree()).toEqual([]);
    expect(existsSync(place)).toBe(true);
    expect(existsSync(root)).toBe(true);
  });

  it('removes the folders that a failed put made, and no others', async () => {
    mkdirSync(join(place, 'h'), { recursive: true });
    writeFileSync(join(place, 'h/README'), 'x');
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield noise(10);
      throw new Error('broken');
    }
    await failure(storage.put('h/s/id/k', broken()));
    expect(tree()).toEqual(['h', 'h/README']);
  });

  it('neither lists nor keeps what a killed process left half written (pitfall 21)', async () => {
    await storage.put('h/s/whole/k', text('whole'));
    await storage.put('h/other/whole/k', text('whole'));
    const started = await killedMidway(place, ['h/s/cut/archive.dump', 'h/other/cut/archive.dump']);
    expect(started).toEqual(['h/other/cut/archive.dump.partial', 'h/s/cut/archive.dump.partial']);
    expect(await keysIn(storage, '')).toEqual(['h/other/whole/k', 'h/s/whole/k']);
    expect(await storage.head('h/s/cut/archive.dump')).toBeUndefined();
    await storage.sweep('h/s/');
    expect(tree().filter((path) => path.endsWith('.partial'))).toEqual(['h/other/cut/archive.dump.partial']);
    expect(existsSync(join(place, 'h/s/cut'))).toBe(false);
    expect(await keysIn(storage, '')).toEqual(['h/other/whole/k', 'h/s/whole/k']);
  });

  it('sweeps only what is older than asked', async () => {
    mkdirSync(join(place, 'h/s/a'), { recursive: true });
    for (const [name, hours] of [
      ['old', 25],
      ['new', 23],
    ] as const) {
      writeFileSync(join(place, `h/s/a/${name}.partial`), 'cut off');
      const at = new Date(Date.now() - hours * 3_600_000);
      utimesSync(join(place, `h/s/a/${name}.partial`), at, at);
    }
    await storage.sweep('h/s/', new Date(Date.now() - 24 * 3_600_000));
    expect(readdirSync(join(place, 'h/s/a'))).toEqual(['new.partial']);
  });

  it('sweeps by the whole prefix, though it ends inside a name', async () => {
    await killedMidway(place, ['h/s/ab/k', 'h/s/b/k']);
    await storage.sweep('h/s/a');
    expect(tree().filter((path) => path.endsWith('.partial'))).toEqual(['h/s/b/k.partial']);
  });

  it('a put over what a killed process left half written is whole', async () => {
    await killedMidway(place, ['h/s/cut/archive.dump']);
    await storage.put('h/s/cut/archive.dump', text('short'));
    expect(await storage.readText('h/s/cut/archive.dump')).toBe('short');
    expect(tree().filter((path) => path.endsWith('.partial'))).toEqual([]);
  });

  it('a full disk leaves nothing, and the message says what to do (pitfall 21)', async () => {
    await withSmallDisk('1m', async (disk) => {
      const full = new LocalStorage(disk);
      const error = await failure(full.put('h/s/id/archive.dump', chunksOf(noise(3_000_000))));
      expect(error).toMatchObject({
        code: 'storage',
        message: expect.stringContaining('ENOSPC'),
        hint: expect.stringContaining('backup-dir'),
      });
      expect(readdirSync(disk, { recursive: true })).toEqual([]);
      // What it took is free again.
      expect(await full.put('h/s/id/archive.dump', chunksOf(noise(500_000)))).toEqual({ bytes: 500_000, confirmed: false });
    });
  });

  it('a folder that user dokku may not write to is answered with the line to type', async () => {
    mkdirSync(place);
    openToEverybody(root);
    chmodSync(place, 0o555);
    const error = await asOrdinaryUser(() => failure(storage.put('h/k', text('x'))));
    expect(error).toMatchObject({
      code: 'storage',
      // Never a chown of what is there: it may be root's home.
      hint: expect.stringMatching(
        new RegExp(
          `^User dokku may not write there: see whose it is .* install -d -m 0750 -o dokku -g dokku ${place}/pgbackup; then set backup-dir`,
        ),
      ),
    });
  });

  it('an object that user dokku may not read is an error of the storage, not a missing object', async () => {
    await storage.put('h/k', text('x'));
    openToEverybody(root);
    chmodSync(join(place, 'h'), 0o000);
    const error = await asOrdinaryUser(() => failure(storage.readText('h/k')));
    const listing = await asOrdinaryUser(() => failure(keysIn(storage, '')));
    chmodSync(join(place, 'h'), 0o755);
    expect(error).toMatchObject({ code: 'storage', hint: expect.stringContaining('may not read there') });
    // Backups that cannot be seen must not look like backups that are not there.
    expect(listing).toMatchObject({ code: 'storage', hint: expect.stringContaining('may not list there') });
  });

  it("a disk of its own works as a place, with fsck's lost+found on it that only root may read", async () => {
    await storage.put('h/k', text('x'));
    mkdirSync(join(place, 'lost+found'));
    openToEverybody(root);
    chmodSync(join(place, 'lost+found'), 0o000);
    expect(await asOrdinaryUser(() => keysIn(storage, ''))).toEqual(['h/k']);
    await asOrdinaryUser(() => storage.sweep(''));
  });

  it('a symbolic link is not followed into listing something else', async () => {
    await storage.put('h/k', text('x'));
    symlinkSync('/etc', join(place, 'h/etc'));
    expect(await keysIn(storage, '')).toEqual(['h/k']);
  });

  it('lists everything that stays while another process makes and removes folders beside it', async () => {
    await storage.put('h/stays/k', text('x'));
    const script = `const fs = require('node:fs'); process.send('go'); for (;;) { for (let i = 0; i < 20; i++) { fs.mkdirSync(${JSON.stringify(place)} + '/h/a' + i + '/b', { recursive: true }); } for (let i = 0; i < 20; i++) fs.rmSync(${JSON.stringify(place)} + '/h/a' + i, { recursive: true }); }`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    try {
      await once(child, 'message');
      for (let round = 0; round < 1000; round += 1) expect(await keysIn(storage, '')).toEqual(['h/stays/k']);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
});

/** Starts puts in a process of their own and kills it once their bytes are on their way. @returns the half-written files. */
async function killedMidway(place: string, keys: readonly string[]): Promise<string[]> {
  const module = new URL('../../src/adapters/storage/local.ts', import.meta.url).href;
  const script = `
    import { LocalStorage } from ${JSON.stringify(module)};
    const storage = new LocalStorage(process.argv[1]);
    let begun = 0;
    async function* endless() {
      yield Buffer.alloc(100_000, 'x');
      begun += 1;
      if (begun === process.argv.length - 2) process.send('midway');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    }
    await Promise.all(process.argv.slice(2).map((key) => storage.put(key, endless())));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, place, ...keys], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [first] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  child.kill('SIGKILL');
  await (child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined);
  if (first !== 'midway') throw new Error('the process that was to be killed ended by itself');
  return execFileSync('find', ['.', '-name', '*.partial'], { cwd: place, encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
    .map((path) => path.slice(2))
    .toSorted();
}
