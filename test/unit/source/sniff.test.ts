import { gzipSync, zstdCompressSync } from 'node:zlib';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { SNIFF_BYTES, sniff } from '../../../src/adapters/source/sniff.ts';
import { dump, fixture } from './helpers.ts';
import { readFileSync } from 'node:fs';

const head = (bytes: Buffer): Buffer => bytes.subarray(0, SNIFF_BYTES);

describe('sniff tells a file by its bytes', () => {
  it.each([
    ['custom', head(dump('custom-15.dump'))],
    ['custom', head(dump('custom-18.dump'))],
    ['tar', head(dump('tar.tar'))],
    ['tar', head(dump('directory.tar'))],
    ['gzip', head(dump('plain-18.sql.gz'))],
    ['gzip', head(readFileSync(fixture('dokku-postgres-1.48.0-postgres-18.tgz')))],
    ['gzip', gzipSync('')],
    ['zstd', head(dump('plain-18.sql.zst'))],
    ['zstd', zstdCompressSync('')],
    ['zstd', Buffer.from('502a4d1804000000', 'hex')],
    ['xz', head(dump('plain-18.sql.xz'))],
    ['bzip2', head(dump('plain-18.sql.bz2'))],
    ['bzip2', Buffer.from('425a683917724538509000000000', 'hex')],
    ['gpg', head(readFileSync(fixture('dokku-postgres-1.48.0-postgres-18.tgz.gpg')))],
    ['gpg', Buffer.from('8501 0c 03 1122334455667788 01'.replaceAll(' ', ''), 'hex')],
    ['gpg', Buffer.from('-----BEGIN PGP MESSAGE-----\n\njA0ECQMC\n')],
    ['age', Buffer.from('age-encryption.org/v1\n-> X25519 abc\n')],
    ['age', Buffer.from('age-encryption.org/v1\n-> X25519 abc\n--- abc\n\0\x01\x02', 'latin1')],
    ['age', Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n')],
    ['sql', head(dump('plain-15.sql'))],
    ['sql', head(dump('all.sql'))],
    ['sql', Buffer.from('--\n-- PostgreSQL database dump\n--\n')],
    ['sql', Buffer.from('\ufeff  \n/* a\ncomment */ -- and another\nselect 1;')],
    ['sql', Buffer.from('\\restrict abc\n')],
    ['sql', Buffer.from('\\connect shop\nCREATE TABLE t (id int);')],
    ['sql', Buffer.from("insert into t values ('Größe');")],
    ['sql', Buffer.from("INSERT INTO t VALUES ('Gr\xf6\xdfe');", 'latin1')],
    ['empty', Buffer.alloc(0)],
    ['unknown', Buffer.from('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>')],
    ['unknown', Buffer.from('<!DOCTYPE html><html><body>select 1</body></html>')],
    ['unknown', Buffer.from('{"message":"create table"}')],
    ['unknown', Buffer.from('[]')],
    ['unknown', Buffer.from('selection of things')],
    ['unknown', Buffer.from('select\0 1')],
    ['unknown', Buffer.alloc(2048)],
    ['unknown', Buffer.from('\n\n  \n')],
    ['unknown', Buffer.from('PK\x03\x04')],
    ['unknown', Buffer.from('\ufeffselect 1;', 'utf16le')],
    ['unknown', Buffer.from('PGDM')],
  ] as const)('as %s (%#)', (kind, bytes) => {
    expect(sniff(bytes)).toBe(kind);
  });

  it('is sure of a dump cut off in the middle of its first comment', () => {
    expect(sniff(dump('plain-18.sql').subarray(0, 20))).toBe('sql');
  });

  it('says something of any bytes, and never that random ones are a custom archive', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 600 }), (bytes) => {
        fc.pre(bytes[0] !== 0x50);
        expect(sniff(bytes)).not.toBe('custom');
        expect(sniff(bytes)).not.toBe('empty');
      }),
    );
  });
});
