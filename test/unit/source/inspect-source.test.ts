import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { inspectSource as inspectOrigin } from '../../../src/adapters/source/inspect-source.ts';
import type { SourceDeps } from '../../../src/adapters/source/unwrap.ts';
import type { InspectedSource } from '../../../src/domain/source.ts';
import { deps, dump, failure, fileOf, fixture } from './helpers.ts';
import { tarOf } from './tar-of.ts';

const inspectSource = (path: string, using: SourceDeps): Promise<InspectedSource> => inspectOrigin({ path }, using);

const plain = dump('plain-18.sql');
const custom = dump('custom-18.dump');

describe('inspectSource finds the dump', () => {
  it.each([
    ['dumps/custom-18.dump', { format: 'custom', wrappings: [], bare: true }],
    ['dumps/tar.tar', { format: 'tar', wrappings: [], bare: true }],
    ['dumps/plain-18.sql', { format: 'sql', wrappings: [], bare: true }],
    ['dumps/plain-18.sql.gz', { format: 'sql', wrappings: ['gzip'], bare: false }],
    ['dumps/plain-18.sql.zst', { format: 'sql', wrappings: ['zstd'], bare: false }],
    ['dumps/plain-18.sql.xz', { format: 'sql', wrappings: ['xz'], bare: false }],
    ['dumps/plain-18.sql.bz2', { format: 'sql', wrappings: ['bzip2'], bare: false }],
    ['dumps/plain.tgz', { format: 'sql', wrappings: ['gzip', 'tar'], member: 'plain-18.sql', bare: false }],
    ['dokku-postgres-1.48.0-postgres-18.tgz', { format: 'custom', wrappings: ['gzip', 'tar'], member: 'backup/export', bare: false }],
  ] as const)('in %s', async (name, expected) => {
    const path = fixture(name);
    await expect(inspectSource(path, deps)).resolves.toEqual({
      member: undefined,
      ...expected,
      size: readFileSync(path).length,
    });
  });

  it('by the bytes and not by the name', async () => {
    await expect(inspectSource(fileOf(custom, 'shop.sql.gz'), deps)).resolves.toMatchObject({ format: 'custom' });
  });

  it('in a tar inside gzip, itself inside gzip', async () => {
    const path = fileOf(gzipSync(await tarOf({ 'a/notes.txt': 'hello', './shop.dump.gz': gzipSync(custom) })));
    await expect(inspectSource(path, deps)).resolves.toMatchObject({
      format: 'custom',
      wrappings: ['gzip', 'tar', 'gzip'],
      member: 'shop.dump.gz',
    });
  });

  it('in a pg_dump tar archive inside zstd', async () => {
    await expect(inspectSource(fileOf(zstdCompressSync(dump('tar.tar'))), deps)).resolves.toMatchObject({
      format: 'tar',
      wrappings: ['zstd'],
      member: undefined,
    });
  });

  it('reads no further than to it', async () => {
    const path = fileOf(gzipSync(plain).subarray(0, -4));
    await expect(inspectSource(path, deps)).resolves.toMatchObject({ format: 'sql', wrappings: ['gzip'] });
  });
});

describe('inspectSource answers what is no dump', () => {
  it.each([
    ['an empty file', '', 'damaged', /is empty\.$/],
    ['an empty file inside gzip', gzipSync(''), 'damaged', /is empty inside its gzip/],
    ['an error page of a bucket', '<?xml version="1.0"?><Error/>', 'damaged', /HTML or XML page/],
    ['JSON', '{"error":"no such key"}', 'damaged', /JSON/],
    ['UTF-16', Buffer.from('\ufeff-- PostgreSQL', 'utf16le'), 'damaged', /UTF-16/],
    ['zero bytes', Buffer.alloc(4096), 'damaged', /zero bytes/],
    ['other text', 'hello '.repeat(20), 'damaged', /begins with "hello hello "/],
    // Perhaps a password, given by mistake: the message goes into a log.
    ['a short secret', 's3cret-of-32-letters-or-so-000000', 'damaged', /^(?!.*s3cret).* it has 33 bytes/],
    ['a gzip file of five bytes', gzipSync(plain).subarray(0, 5), 'damaged', /is damaged \(gzip\): unexpected end/],
    ['a zstd file of five bytes', zstdCompressSync(plain).subarray(0, 5), 'damaged', /is damaged \(zstd\): unexpected end/],
    ['an archive of eight bytes', custom.subarray(0, 8), 'damaged', /cut off/],
    ['a tar cut off in its header', dump('tar.tar').subarray(0, 700), 'damaged', /Unexpected end of data/],
    ['five wrappings', gzipSync(gzipSync(gzipSync(gzipSync(gzipSync(plain))))), 'refused', /wrapped too often/],
    ['a directory-format dump in a tar', dump('directory.tar'), 'refused', /directory-format dump \(dump\//],
  ] as const)('%s', async (_what, bytes, code, message) => {
    const error = await failure(() => inspectSource(fileOf(bytes), deps));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(/\w/) });
  });

  it('a tar without a dump, naming what is in it', async () => {
    const error = await failure(async () => inspectSource(fileOf(await tarOf({ 'notes.txt': 'hello' })), deps));
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining('It holds: notes.txt.') });
  });

  it('the table of contents of a directory dump', async () => {
    const toc = Buffer.from(custom);
    toc[10] = 3;
    expect(await failure(() => inspectSource(fileOf(toc), deps))).toMatchObject({
      code: 'refused',
      hint: expect.stringContaining('pg_restore -f'),
    });
  });

  it('an encrypted file without a key for it, with the option to add', async () => {
    const path = fixture('dokku-postgres-1.48.0-postgres-18.tgz.gpg');
    expect(await failure(() => inspectSource(path, deps))).toMatchObject({
      code: 'refused',
      message: `${path} is encrypted with a passphrase (gpg), and none was given.`,
      hint: 'Put it into a file of one line, and add: --passphrase-file <file>',
    });
  });

  it('a missing file and a directory', async () => {
    const path = fileOf('x');
    expect(await failure(() => inspectSource(`${path}.gone`, deps))).toMatchObject({ code: 'not-found' });
    expect(await failure(() => inspectSource(dirname(path), deps))).toMatchObject({ code: 'refused' });
  });

  it('a packed file on a host without the program for it', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '';
    try {
      expect(await failure(() => inspectSource(fixture('dumps/plain-18.sql.xz'), deps))).toMatchObject({
        code: 'refused',
        hint: 'Install it: apt-get install xz-utils',
      });
    } finally {
      process.env['PATH'] = path;
    }
  });
});
