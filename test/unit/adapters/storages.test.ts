import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Paths } from '../../../src/adapters/paths.ts';
import { FileStorages } from '../../../src/adapters/storage/storages.ts';
import { createStorage } from '../../../src/app/storage-setup.ts';
import { parseS3Config, s3Defaults } from '../../../src/domain/s3-config.ts';
import { localStorage, parseStorageName } from '../../../src/domain/storage-name.ts';

const offsite = parseStorageName('offsite');
const config = parseS3Config({ ...s3Defaults, bucket: 'backups', region: 'eu-1' }, 'offsite');
const keys = { accessKeyId: 'AKIA', secretAccessKey: 's3cret/with+signs' };
const clock = { now: () => new Date(0), suffix: () => 'abcd' };

let root: string;
let storages: FileStorages;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgbackup-storages-'));
  storages = new FileStorages(new Paths({ DOKKU_LIB_ROOT: root }));
  folder = join(root, 'data/pgbackup/storages/offsite');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the storages of a host', () => {
  it('are kept for user dokku alone, their keys apart from how they are set up', async () => {
    await storages.write(offsite, config);
    await storages.writeKeys(offsite, keys);
    expect(storages.list()).toEqual(['offsite']);
    expect(storages.config(offsite)).toEqual(config);
    expect(storages.keyId(offsite)).toBe('AKIA');
    expect(readFileSync(join(folder, 'config.json'), 'utf8')).not.toContain('s3cret');
    for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  });

  it('local is there without being made, and in no list', () => {
    expect(storages.list()).toEqual([]);
    expect(storages.open(localStorage, undefined).place).toBe(join(root, 'data/pgbackup/backups'));
    expect(storages.open(localStorage, '/mnt/b').place).toBe('/mnt/b');
  });

  it('one that is not there is not found, with those that are', async () => {
    await storages.write(offsite, config);
    expect(() => storages.open(parseStorageName('nope'), undefined)).toThrow(
      expect.objectContaining({ code: 'not-found', hint: expect.stringContaining('local, offsite') }),
    );
  });

  it('forget all of one that is removed', async () => {
    await storages.write(offsite, config);
    await storages.writeKeys(offsite, keys);
    await storages.remove(offsite);
    expect(storages.list()).toEqual([]);
    expect(readdirSync(join(root, 'data/pgbackup/storages'))).toEqual([]);
  });

  it('keep no keys that open nothing any more', async () => {
    await storages.write(offsite, config);
    await storages.writeKeys(offsite, keys);
    await storages.write(offsite, { ...config, auth: { kind: 'iam' } });
    expect(readdirSync(folder)).toEqual(['config.json']);
  });

  it.each(['', '{', 'null', '{"kind":"s3"}', '{"kind":"ftp"}'])(
    'say of a damaged file which it is, and can be set up anew: %s',
    async (text) => {
      await storages.write(offsite, config);
      writeFileSync(join(folder, 'config.json'), text);
      expect(() => storages.config(offsite)).toThrow(
        expect.objectContaining({ code: 'storage', message: expect.stringContaining(join(folder, 'config.json')) }),
      );
      await createStorage({ storages, clock }, offsite, config, true);
      expect(storages.config(offsite)).toEqual(config);
    },
  );

  it('say of damaged keys which file it is, and nothing of what is in it', async () => {
    await storages.write(offsite, config);
    writeFileSync(join(folder, 'keys.json'), '{"accessKeyId":"AKIA","secretAccessKey":"s3cret"');
    expect(() => storages.open(offsite, undefined)).toThrow(
      expect.objectContaining({ code: 'storage', message: expect.not.stringContaining('s3cret') }),
    );
  });

  it('a directory that cannot be used is refused when it is set up, and what was there before is there still', async () => {
    const second = parseStorageName('second');
    await expect(createStorage({ storages, clock }, second, { kind: 'local', path: join(root, 'nope') }, false)).rejects.toMatchObject({
      code: 'storage',
    });
    expect(storages.list()).toEqual([]);
    await createStorage({ storages, clock }, second, { kind: 'local', path: root }, false);
    await expect(createStorage({ storages, clock }, second, { kind: 'local', path: join(root, 'nope') }, true)).rejects.toMatchObject({
      code: 'storage',
    });
    expect(storages.config(second)).toEqual({ kind: 'local', path: root });
  });
});
