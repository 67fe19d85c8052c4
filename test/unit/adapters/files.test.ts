import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMissing, readIfThere, removeDurably, writeDurably } from '../../../src/adapters/files.ts';
import { PropertyFiles } from '../../../src/adapters/settings-store.ts';
import { FileJournals, FileOperationLog, FilePreviousDatabases } from '../../../src/adapters/state.ts';
import type { Journal } from '../../../src/domain/journal.ts';
import type { LogEntry } from '../../../src/ports.ts';
import { shop } from '../../twins/world.ts';
import { asOrdinaryUser, openToEverybody } from '../../tools/ordinary-user.ts';
import { withSmallDisk } from '../../tools/small-disk.ts';

let root: string;

beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'pgbackup-files-'))));
afterEach(() => rmSync(root, { recursive: true }));

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const journal: Journal = {
  kind: 'backup',
  operation: 'shop-20261120T031500Z-k3f9',
  backupDir: '/mnt/b',
  storages: ['local'],
  prefix: 'h/shop/x/',
};
const previous = {
  live: 'shop',
  database: 'pgbackup_previous_x',
  since: '2026-11-20T03:15:00.000Z',
  until: '2026-11-21T03:15:00.000Z',
  source: 'x',
};

describe('a small file', () => {
  it('is for this user alone, in folders of this user alone, whatever the umask', () => {
    const before = process.umask(0);
    try {
      writeDurably(join(root, 'a/b/file'), 'text');
    } finally {
      process.umask(before);
    }
    expect(readFileSync(join(root, 'a/b/file'), 'utf8')).toBe('text');
    expect([mode(join(root, 'a/b/file')), mode(join(root, 'a/b')), mode(join(root, 'a'))]).toEqual(['600', '700', '700']);
    expect(readdirSync(join(root, 'a/b'))).toEqual(['file']);
  });

  it('is replaced whole, also over what a power loss left of an earlier try', () => {
    const path = join(root, 'file');
    writeDurably(path, 'a long old text');
    writeFileSync(`${path}.partial`, 'left over, and longer than anything written since then');
    writeDurably(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(root)).toEqual(['file']);
  });

  it('that is not there reads as undefined, also where its folder is none', () => {
    writeFileSync(join(root, 'plain'), '');
    expect(readIfThere(join(root, 'gone'))).toBeUndefined();
    expect(readIfThere(join(root, 'gone/deeper'))).toBeUndefined();
    expect(readIfThere(join(root, 'plain/deeper'))).toBeUndefined();
    expect(() => readIfThere(root)).toThrow('EISDIR');
  });

  it('is removed for good, and twice is no error', () => {
    const path = join(root, 'a/file');
    writeDurably(path, 'x');
    removeDurably(path);
    removeDurably(path);
    removeDurably(join(root, 'never/was/here'));
    expect(readIfThere(path)).toBeUndefined();
  });

  it('on a full disk stays what it was, with an error that says so, and nothing beside it', async () => {
    await withSmallDisk('64k', async (disk) => {
      writeDurably(join(disk, 'file'), 'old');
      try {
        writeFileSync(join(disk, 'fill'), Buffer.alloc(1_000_000));
      } catch {
        // Full, as it is meant to be.
      }
      expect(() => writeDurably(join(disk, 'file'), 'new '.repeat(5000))).toThrow(
        expect.objectContaining({ code: 'storage', hint: expect.stringContaining('disk is full') }),
      );
      expect(readFileSync(join(disk, 'file'), 'utf8')).toBe('old');
      expect(readdirSync(disk).toSorted()).toEqual(['file', 'fill']);
    });
  });

  it('where this user may not write is an error that says where to look', async () => {
    const folder = join(root, 'closed');
    mkdirSync(folder);
    openToEverybody(root);
    chmodSync(folder, 0o555);
    const error = await asOrdinaryUser(async () => {
      try {
        writeDurably(join(folder, 'file'), 'x');
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    });
    expect(error).toMatchObject({ code: 'storage', hint: `Can user dokku write there? See: ls -ld ${folder}` });
  });

  it('is missing by its code, not by its words', () => {
    expect(isMissing(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe(true);
    expect(isMissing(new Error('ENOENT'))).toBe(false);
    expect(isMissing('ENOENT')).toBe(false);
  });
});

describe('the state of a service', () => {
  it('is read as it was written, by another process, too', async () => {
    await new FileJournals(root).write(shop, journal);
    await new FilePreviousDatabases(root).write(shop, previous);
    expect(await new FileJournals(root).read(shop)).toEqual(journal);
    expect(await new FilePreviousDatabases(root).read(shop)).toEqual(previous);
  });

  it('is nothing where nothing was written, and after it was cleared', async () => {
    const journals = new FileJournals(root);
    expect(await journals.read(shop)).toBeUndefined();
    await journals.clear(shop);
    await journals.write(shop, journal);
    await journals.clear(shop);
    expect(await journals.read(shop)).toBeUndefined();
    expect(await new FilePreviousDatabases(root).read(shop)).toBeUndefined();
  });

  it.each([
    ['empty', ''],
    ['cut off', '{"kind":"backup","operation":"shop-2026'],
    ['zeroed', '\0'.repeat(100)],
  ])('that a power loss left %s is an error that names the file', async (_, left) => {
    const folder = join(root, 'services/shop');
    mkdirSync(folder, { recursive: true });
    for (const file of ['journal.json', 'previous.json']) writeFileSync(join(folder, file), left);
    await expect(new FileJournals(root).read(shop)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(join(folder, 'journal.json')),
    });
    await expect(new FilePreviousDatabases(root).read(shop)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(join(folder, 'previous.json')),
    });
  });
});

describe('the log', () => {
  const entry = (message: string): LogEntry => ({
    time: '2026-11-20T03:15:00.000Z',
    service: 'shop',
    operation: 'backup',
    id: null,
    outcome: 'ok',
    seconds: 1.5,
    message,
  });

  it('holds what was appended, in order, each in one line whatever is in it', async () => {
    const log = new FileOperationLog(root);
    expect(await log.read()).toEqual([]);
    for (const message of ['one', 'two\nlines', 'naïve \u2028 ☃']) await log.append(entry(message));
    expect((await new FileOperationLog(root).read()).map((found) => found.message)).toEqual(['one', 'two\nlines', 'naïve \u2028 ☃']);
    expect(readFileSync(join(root, 'log.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(3);
    expect(mode(join(root, 'log.jsonl'))).toBe('600');
  });

  it('loses only the line that a power loss cut short', async () => {
    const log = new FileOperationLog(root);
    await log.append(entry('one'));
    writeFileSync(join(root, 'log.jsonl'), `${readFileSync(join(root, 'log.jsonl'), 'utf8')}{"time":"2026\n`);
    await log.append(entry('two'));
    expect((await log.read()).map((found) => found.message)).toEqual(['one', 'two']);
  });

  it('that cannot be written fails nothing', async () => {
    writeFileSync(join(root, 'state'), 'a file where the folder should be');
    await new FileOperationLog(join(root, 'state')).append(entry('lost'));
    expect(readFileSync(join(root, 'state'), 'utf8')).toBe('a file where the folder should be');
  });
});

describe('the settings on the disk', () => {
  it('are a file a key, as Dokku keeps its properties', async () => {
    const store = new PropertyFiles(root);
    await store.write(shop, 'keep-previous', '7d');
    await store.write('--global', 'backup-dir', '/mnt/with space');
    expect(readFileSync(join(root, 'shop/keep-previous'), 'utf8')).toBe('7d\n');
    expect(await store.read(shop)).toEqual(new Map([['keep-previous', '7d']]));
    expect(await store.read('--global')).toEqual(new Map([['backup-dir', '/mnt/with space']]));
  });

  it('are none where nothing was set, and none again once it was taken back', async () => {
    const store = new PropertyFiles(root);
    expect(await store.read(shop)).toEqual(new Map());
    await store.write(shop, 'jobs', undefined);
    await store.write(shop, 'jobs', '2');
    await store.write(shop, 'jobs', undefined);
    expect(await store.read(shop)).toEqual(new Map());
  });

  it('leave out what a killed write left, and take files without a line end', async () => {
    const store = new PropertyFiles(root);
    await store.write(shop, 'jobs', '2');
    writeFileSync(join(root, 'shop/jobs.partial'), '9');
    writeFileSync(join(root, 'shop/keep-previous'), '1h');
    expect(await store.read(shop)).toEqual(
      new Map([
        ['jobs', '2'],
        ['keep-previous', '1h'],
      ]),
    );
  });
});
