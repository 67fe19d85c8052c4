import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManifestLog } from '../../src/adapters/storage/manifest-log.ts';
import { MemoryStorage } from '../../src/adapters/storage/memory.ts';
import { RememberingStorage } from '../../src/adapters/storage/remembering.ts';
import type { ListedKey } from '../../src/ports.ts';
import { chunksOf, keysIn } from '../tools/bytes.ts';
import { describeStorageContract } from './storage.ts';

/** A storage far away: each text that is fetched is counted, and a listing tells what has changed. */
class Distant extends MemoryStorage {
  readonly fetched: string[] = [];

  override async readText(key: string): Promise<string> {
    this.fetched.push(key);
    return super.readText(key);
  }

  override async *list(prefix: string): AsyncIterable<ListedKey> {
    for await (const listed of super.list(prefix)) yield { ...listed, tag: await super.readText(listed.key) };
  }
}

let folder: string;
let path: string;
let distant: Distant;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgbackup-log-'));
  path = join(folder, 'cache', 'offsite.manifests');
  distant = new Distant('offsite');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describeStorageContract('remembering', async () => ({
  storage: new RememberingStorage(new Distant(), new ManifestLog(join(tmpdir(), 'pgbackup-no-such-folder', 'log'))),
  [Symbol.asyncDispose]: async () => rmSync(join(tmpdir(), 'pgbackup-no-such-folder'), { recursive: true, force: true }),
}));

/** A listing as a command makes it: a process of its own, that reads all there is. */
async function listing(): Promise<Record<string, string>> {
  const storage = new RememberingStorage(distant, new ManifestLog(path));
  const texts: Record<string, string> = {};
  for (const key of await keysIn(storage, '')) texts[key] = await storage.readText(key);
  // What was read is written once the command has nothing else to do.
  await new Promise((resolve) => setImmediate(resolve));
  return texts;
}

async function put(key: string, text: string): Promise<void> {
  await distant.put(key, chunksOf(Buffer.from(text)));
}

describe('manifests of a distant storage', () => {
  it('are fetched once, and are the same the second time', async () => {
    for (const n of [1, 2, 3]) await put(`h/s/${n}/manifest.json`, `{"n": ${n}, "note": "naïve\\n☃"}`);
    const first = await listing();
    expect(distant.fetched).toHaveLength(3);
    expect(await listing()).toEqual(first);
    expect(distant.fetched).toHaveLength(3);
  });

  it('are fetched again when they have changed, and forgotten when they are gone', async () => {
    await put('a', 'one');
    await put('b', 'two');
    await listing();
    await put('a', 'another');
    await distant.delete('b');
    expect(await listing()).toEqual({ a: 'another' });
    expect(distant.fetched).toEqual(['a', 'b', 'a']);
  });

  it('are never taken from the log without a listing that shows them', async () => {
    await put('a', 'one');
    await listing();
    await distant.delete('a');
    const storage = new RememberingStorage(distant, new ManifestLog(path));
    await expect(storage.readText('a')).rejects.toMatchObject({ code: 'not-found' });
  });

  it.each([
    ['cut off', (log: string) => log.slice(0, -20)],
    ['overwritten with zeros', (log: string) => '\0'.repeat(log.length)],
    ['of another kind', () => '{"a": 1}\n[1]\n[null, null]\nnull\n"x"\n'],
    ['gone', () => ''],
  ])('are asked for again where the log is %s', async (_, damage) => {
    await put('a', 'one');
    await put('b', 'two');
    const first = await listing();
    writeFileSync(path, damage(readFileSync(path, 'utf8')));
    expect(await listing()).toEqual(first);
    const before = distant.fetched.length;
    expect(await listing()).toEqual(first);
    expect(distant.fetched).toHaveLength(before);
  });

  it('survive a line that a killed process did not end', async () => {
    await put('a', 'one');
    await listing();
    appendFileSync(path, '["half a');
    await put('b', 'two');
    await listing();
    await listing();
    expect(distant.fetched).toEqual(['a', 'b']);
  });

  it('are kept for user dokku alone', async () => {
    await put('a', 'one');
    await listing();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('do not pile up in the log when backups come and go', async () => {
    for (let round = 0; round < 30; round += 1) {
      for (let n = 0; n < 10; n += 1) await put(`${round}/${n}`, 'x'.repeat(1000));
      if (round > 0) for (let n = 0; n < 10; n += 1) await distant.delete(`${round - 1}/${n}`);
      await listing();
    }
    // Of 300 that there ever were, each with its text as its tag.
    expect(statSync(path).size).toBeLessThan(120 * 2100);
  });

  it('are read all the same where the log cannot be written', async () => {
    await put('a', 'one');
    writeFileSync(join(folder, 'cache'), 'a file where the folder should be');
    expect(await listing()).toEqual({ a: 'one' });
    expect(existsSync(path)).toBe(false);
  });
});
