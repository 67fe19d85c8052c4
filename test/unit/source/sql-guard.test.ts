import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { describe, expect, it } from 'vitest';

import { SqlGuard } from '../../../src/adapters/source/sql-guard.ts';
import { dump, failure, guard, latin1 } from './helpers.ts';

const TABLES = 14;
const ROLES = ['odd role', 'postgres', 'reader', 'shop_owner'];

/** The dump without the lines that these expressions match. */
function without(text: string, ...lines: readonly RegExp[]): string {
  return text
    .split('\n')
    .map((line) => (lines.some((pattern) => pattern.test(line)) ? '' : line))
    .join('\n');
}

const RESTRICT = /^\\(?:un)?restrict \w+$/;
const OF_DATABASE = [
  /^\\connect shop$/,
  /^(?:CREATE|DROP|ALTER|COMMENT ON) DATABASE shop\b/,
  /^ALTER ROLE reader IN DATABASE shop /,
  /^GRANT CONNECT ON DATABASE shop /,
];

describe('the guard passes on what pg_dump wrote', () => {
  it.each(['15', '18'])('a plain dump of %s, but for its \\restrict', (major) => {
    const sql = latin1(dump(`plain-${major}.sql`));
    const { text, report } = guard(dump(`plain-${major}.sql`));
    expect(text).toBe(without(sql, RESTRICT));
    expect(report).toEqual({
      fromPgDump: true,
      complete: true,
      contained: [],
      tables: TABLES,
      roles: ROLES,
      extensions: ['pgcrypto'],
      serverMajor: Number(major),
    });
  });

  it.each(['create-15', 'create-18', 'inserts-15', 'inserts-18', 'clean-create-15', 'clean-create-18'])(
    'a dump with -C (%s), but for what concerns the database itself',
    (name) => {
      const sql = latin1(dump(`${name}.sql`));
      const { text, report } = guard(dump(`${name}.sql`));
      expect(text).toBe(without(sql, RESTRICT, ...OF_DATABASE));
      expect(report).toMatchObject({ complete: true, roles: ROLES, extensions: ['pgcrypto'] });
      const notes = report.contained.map((note) => note.replace(/^line \d+: /, ''));
      expect(notes.filter((note) => note !== 'DROP DATABASE shop')).toEqual([
        'CREATE DATABASE shop',
        'ALTER DATABASE shop',
        '\\connect shop',
        'COMMENT ON DATABASE shop',
        'ALTER DATABASE shop',
        'ALTER ROLE reader IN DATABASE shop',
        '\\connect shop',
        'GRANT … ON DATABASE shop',
      ]);
      expect(notes.includes('DROP DATABASE shop')).toBe(name.startsWith('clean'));
    },
  );

  it.each(['clean-15', 'clean-18', 'clean-if-exists-18'])('a dump with -c (%s), but for its drops', (name) => {
    const plain = latin1(dump(`plain-${name.slice(-2)}.sql`));
    const { text, report } = guard(dump(`${name}.sql`));
    // what is left is the plain dump: the same statements behind the same settings
    const squeeze = (sql: string): string => without(sql, RESTRICT).replace(/\n+/g, '\n');
    expect(squeeze(text)).toBe(squeeze(plain));
    expect(report).toMatchObject({ complete: true, contained: [] });
  });

  it('with every line where it was, so that messages of psql fit the file', () => {
    const sql = latin1(dump('clean-create-18.sql'));
    const { text } = guard(dump('clean-create-18.sql'));
    expect(text.split('\n').length).toBe(sql.split('\n').length);
    const line = (of: string): number => of.split('\n').indexOf('COPY public.part_rest (id, at) FROM stdin;');
    expect(line(text)).toBe(line(sql));
    expect(line(text)).toBeGreaterThan(100);
  });

  it('a database name that pg_dump writes as a connection string', () => {
    const { report } = guard(dump('odd-name.sql'));
    expect(report.complete).toBe(true);
    expect(report.contained.map((note) => note.replace(/^line \d+: /, ''))).toEqual([
      `CREATE DATABASE odd 'n\\ame" = x`,
      `ALTER DATABASE odd 'n\\ame" = x`,
      `\\connect odd 'n\\ame" = x`,
    ]);
  });

  it('one database cut out of a pg_dumpall file the way the message says', () => {
    let keep = false;
    const lines = dump('all.sql')
      .toString()
      .split('\n')
      .filter((line) => {
        if (line.startsWith('-- Database "')) keep = line.endsWith('"shop" dump');
        return keep;
      });
    const { report } = guard(lines.join('\n'));
    expect(report).toMatchObject({ complete: true, roles: ROLES });
  });

  it('with Windows line ends', () => {
    const sql = dump('plain-18.sql').toString().replaceAll('\n', '\r\n');
    const { text, report } = guard(sql);
    expect(report.complete).toBe(true);
    expect(text).toBe(without(latin1(sql), /^\\(?:un)?restrict \w+\r$/));
  });

  it('without a byte order mark, which psql does not always know', () => {
    expect(guard('\ufeffSELECT 1;').text).toBe('SELECT 1;');
    expect(guard('\ufeffSELECT 1;', { cuts: [1, 2] }).text).toBe('SELECT 1;');
  });
});

describe('the guard changes what would fail in the scratch database', () => {
  it('drops what comes before the first creating statement, and keeps it afterwards', () => {
    const { text } = guard(
      'SET x = 1;\nDROP TABLE a;\nALTER TABLE ONLY b DROP CONSTRAINT c;\nALTER TABLE d DETACH PARTITION e;\n' +
        'DROP SCHEMA public;\nCREATE TABLE a (id int);\nDROP TABLE a;\nALTER TABLE b DROP CONSTRAINT c;\n',
    );
    expect(text).toBe('SET x = 1;\n\n\n\n\nCREATE TABLE a (id int);\nDROP TABLE a;\nALTER TABLE b DROP CONSTRAINT c;\n');
  });

  it('keeps a column or table that is only named like a drop', () => {
    const sql = 'ALTER TABLE "drop" ADD COLUMN "detach" int;\n';
    expect(guard(sql).text).toBe(sql);
  });

  it.each([
    ['CREATE SCHEMA public;', 'CREATE SCHEMA IF NOT EXISTS public;'],
    ['create schema "public" ;', 'CREATE SCHEMA IF NOT EXISTS public;'],
    ['CREATE SCHEMA public2;', 'CREATE SCHEMA public2;'],
    ['CREATE SCHEMA IF NOT EXISTS public;', 'CREATE SCHEMA IF NOT EXISTS public;'],
  ])('%s becomes %s', (sql, expected) => {
    expect(guard(sql).text).toBe(expected);
  });

  it('leaves transaction_timeout to servers that know it (pitfall 32)', () => {
    const sql = 'SET transaction_timeout = 0;\nSELECT 1;';
    expect(guard(sql, { major: 17 }).text).toBe(sql);
    expect(guard(sql, { major: 16 }).text).toBe('\nSELECT 1;');
  });
});

describe('the guard refuses', () => {
  it.each([
    ['\\! rm -rf /', '\\! rm -rf /'],
    ['\\copy t from program x', 'psql command'],
    ['\\i other.sql', '\\i other.sql'],
    ['\\o |sh', 'psql command'],
    ['\\set x `id`', 'psql command'],
    ['SELECT 1 \\g |sh', 'inside a statement'],
    ["SELECT 'x' \\gexec", 'inside a statement'],
    ['SELECT 1\\; SELECT 2;', 'inside a statement'],
    ['\\connect shop \\! id', 'psql command'],
    ['\\connect `id`', 'psql command'],
    ['\\connect "host=elsewhere dbname=x"', 'psql command'],
    ['\\connect -reuse-previous=on "host=elsewhere dbname=\'x\'"', 'psql command'],
    ['\\encoding SJIS', 'psql command'],
    ['\\restrict a\n\\restrict b', 'does not fit'],
    ['\\restrict a\n\\unrestrict b', 'does not fit'],
    ['\\unrestrict a', 'does not fit'],
    ['\\restrict a b', 'psql command'],
    ['\\.', 'psql command'],
    ['-- comment\r\\! id', 'psql command'],
    ['\\connect a\n\\connect b', 'while the dump is one of a'],
    ['CREATE DATABASE a;\n\\connect b', 'while the dump is one of a'],
    ['CREATE TABLE t (id int);\nCREATE DATABASE a;', 'after its data began'],
    ['CREATE TABLE t (id int);\nDROP DATABASE a;', 'after its data began'],
    ["ALTER DATABASE a SET x = '1';\nALTER DATABASE b SET x = '1';", 'while the dump is one of a'],
    ['CREATE ROLE a;', 'CREATE ROLE'],
    ['create /* x */ user a;', 'CREATE USER'],
    ["ALTER ROLE a PASSWORD 'x';", 'ALTER ROLE'],
    ['ALTER USER a SUPERUSER;', 'ALTER ROLE'],
    ['DROP ROLE a;', 'DROP ROLE'],
    ['DROP USER IF EXISTS a;', 'DROP USER'],
    ['DROP OWNED BY a;', 'DROP OWNED'],
    ['REASSIGN OWNED BY a TO b;', 'REASSIGN'],
    ['GRANT a TO b;', 'a GRANT of a role'],
    ['REVOKE ADMIN OPTION FOR a FROM b;', 'a REVOKE of a role'],
    ['GRANT CREATE ON TABLESPACE x TO b;', 'ON TABLESPACE'],
    ['GRANT SET ON PARAMETER x TO b;', 'ON PARAMETER'],
    ["CREATE TABLESPACE x LOCATION '/x';", 'CREATE TABLESPACE'],
    ["ALTER SYSTEM SET x = '1';", 'ALTER SYSTEM'],
    ["COMMENT ON ROLE a IS 'x';", 'COMMENT ON ROLE'],
    ["COPY t FROM PROGRAM 'id';", 'COPY … FROM PROGRAM'],
    ["COPY t (a, b) TO PROGRAM 'id';", 'COPY … TO PROGRAM'],
    ["COPY (SELECT 'FROM stdin') TO '/etc/passwd';", 'COPY … TO a file'],
    ["COPY t FROM '/etc/passwd';", 'COPY … FROM a file'],
    ["COPY t FROM E'/etc/passwd';", 'COPY … FROM a file'],
    ['COPY t FROM stdin WITH (FORMAT binary);\n', 'binary'],
    ['COPY BINARY t FROM stdin;\n', 'binary'],
    ['COPY t FROM stdin; SELECT 1;\n', 'more text on the line'],
    ["LOAD 'x';", 'LOAD'],
    ["PREPARE TRANSACTION 'x';", 'PREPARE TRANSACTION'],
    ["CREATE SUBSCRIPTION s CONNECTION 'connect = false' PUBLICATION p;", 'without connect = false'],
    ["CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = true);", 'without connect = false'],
    ['ALTER SUBSCRIPTION s ENABLE;', 'may start it'],
    ['CREATE TABLE t ();\nDROP SUBSCRIPTION s;', 'DROP SUBSCRIPTION'],
    ["SET client_encoding = 'SJIS';", 'client_encoding'],
    ["SET NAMES 'big5';", 'client_encoding'],
    ['SET LOCAL standard_conforming_strings = off;', 'standard_conforming_strings'],
    ["SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);", 'standard_conforming_strings'],
    ["CREATE TABLE t ();\nUPDATE pg_catalog.pg_database SET datname = 'x';", 'pg_database'],
  ])('%j', async (sql, message) => {
    const error = await failure(() => guard(`SET a = 1;\n\n${sql}\n`));
    expect(error).toMatchObject({ code: 'refused', message: expect.stringContaining(message), hint: expect.stringMatching(/\w/) });
    const lines = sql.includes('\n') && /\n./.test(sql) ? 4 : 3;
    expect(error.message).toMatch(new RegExp(`^Line ${lines} of the SQL`));
  });

  it('a pg_dumpall file, saying how to cut one database out of it', async () => {
    const error = await failure(() => guard(dump('all.sql')));
    expect(error).toMatchObject({ code: 'refused', message: expect.stringContaining('pg_dumpall'), hint: expect.stringContaining('awk') });
  });

  it('words and columns beyond all measure', async () => {
    expect((await failure(() => guard(`SELECT ${'x'.repeat(70_000)};`))).message).toContain('a word of more than 64 KiB');
    expect((await failure(() => guard(`COPY t (${'"a", '.repeat(300_000)}"b") FROM stdin;\n`))).message).toContain('not clear');
  });

  it('a psql command at the very end too, where pg_dump did not write the file', async () => {
    expect((await failure(() => guard('SELECT 1;\n\\! id'))).message).toContain('\\! id');
    const { text, report } = guard('-- PostgreSQL database dump\nSELECT 1;\n\\! id');
    expect(text).toBe('-- PostgreSQL database dump\nSELECT 1;\n');
    expect(report.complete).toBe(false);
  });

  it('a zero byte as damage', async () => {
    expect(await failure(() => guard('SELECT 1;\0'))).toMatchObject({ code: 'damaged' });
  });
});

describe('variables that psql would put other text for', () => {
  it.each([
    'DROP :LAST_ERROR_MESSAGE DATABASE shop WITH (FORCE);',
    "SELECT :'USER';",
    'SELECT :"DBNAME";',
    'SELECT :{?ERROR};',
    'CREATE :VERSION ROLE mallory;',
  ])('are refused: %s', async (line) => {
    expect(await failure(() => guard(line))).toMatchObject({ code: 'refused', message: expect.stringContaining('psql variable') });
  });

  it.each([
    'SELECT \'1\'::TEXT, 2::"char", a[1:n], b[1:2] FROM t;',
    'SELECT \'a :USER in a string\', "a :USER in a name";',
    '-- a :USER in a comment\nSELECT 1;',
  ])('are not seen where there are none: %s', async (line) => {
    expect(latin1(line)).toContain(line);
  });
});

describe('the guard does not refuse', () => {
  it.each([
    'CREATE USER MAPPING FOR a SERVER s;',
    'VACUUM ANALYZE t;',
    "DO $$ BEGIN EXECUTE 'CREATE DATABASE x'; END $$;",
    "COMMENT ON TABLE t IS '\\! id';",
    'COPY (SELECT 1) TO stdout;',
    'COPY public.from (a) FROM stdin;\n1\n\\.\n',
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false);",
    'ALTER SUBSCRIPTION s OWNER TO a;',
    'ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b;',
    'PREPARE x AS SELECT 1;',
    "SELECT a[1:2], b ->> 'x', c::text, $1 FROM t;",
    'SELECT 1',
    '',
  ])('%j', (sql) => {
    expect(guard(sql).text).toBe(sql);
  });

  it('a hundred megabytes in one statement, and holds none of it back', () => {
    const size = 100 * 1024 * 1024;
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const stream = new SqlGuard({ serverMajor: 18 });
    let most = 0;
    let bytes = 0;
    return pipeline(
      Readable.from(
        (function* () {
          yield Buffer.from("CREATE TABLE t (x text);\nINSERT INTO t VALUES ('");
          for (let at = 0; at < size; at += piece.length) yield piece;
          yield Buffer.from("');\n");
        })(),
      ),
      stream,
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          most = Math.max(most, chunk.length);
        }
      },
    ).then(() => {
      expect(bytes).toBe(size + 52);
      expect(most).toBeLessThanOrEqual(2 * piece.length);
    });
  });
});

describe('the guard tells whether a dump is whole', () => {
  const sql = latin1(dump('plain-18.sql'));
  const complete = (text: string): boolean => guard(Buffer.from(text, 'latin1')).report.complete;

  it('by its closing line alone', () => {
    expect(complete(sql)).toBe(true);
    expect(complete(sql.slice(0, sql.lastIndexOf('-- PostgreSQL database dump complete') + 36))).toBe(true);
    expect(complete(sql.slice(0, sql.lastIndexOf('-- PostgreSQL database dump complete') + 35))).toBe(false);
  });

  it('wherever it was cut off before', () => {
    const closing = sql.lastIndexOf('-- PostgreSQL database dump complete');
    for (let length = 0; length < closing; length += 97) {
      expect(complete(sql.slice(0, length))).toBe(false);
    }
  });

  it('and not by a line of its data that says so', () => {
    expect(complete("-- PostgreSQL database dump\nSELECT '\n-- PostgreSQL database dump complete\n")).toBe(false);
    expect(complete('-- PostgreSQL database dump\nCOPY t FROM stdin;\n-- PostgreSQL database dump complete\n')).toBe(false);
    expect(complete('-- PostgreSQL database dump\nSELECT $$\n-- PostgreSQL database dump complete\n')).toBe(false);
    expect(complete('-- PostgreSQL database dump\n/*\n-- PostgreSQL database dump complete\n')).toBe(false);
    expect(complete('-- PostgreSQL database dump\nSELECT 1\n-- PostgreSQL database dump complete\n')).toBe(false);
    expect(complete('-- PostgreSQL database dump\nSELECT 1;\n-- PostgreSQL database dump complete\n')).toBe(true);
  });

  it('and not if something follows', () => {
    expect(complete(`${sql}SELECT 1;\n`)).toBe(false);
    expect(complete(`${sql}-- a remark\n/* another */\n\n`)).toBe(true);
  });

  it('and not if a dump was cut off and another one put behind it', () => {
    expect(complete(`${sql}${sql}`)).toBe(true);
    expect(
      complete(
        `${sql.slice(0, sql.lastIndexOf('--\n-- PostgreSQL database dump complete'))}\n\\unrestrict ${/\\restrict (\w+)/.exec(sql)?.[1]}\n${sql}`,
      ),
    ).toBe(false);
  });

  it.each([
    ['BEGIN;\nINSERT INTO a VALUES (1);\n', 'damaged'],
    ['START TRANSACTION;\nCREATE TABLE a ();\n', 'damaged'],
    ['BEGIN;\nCREATE TABLE a ();\nSAVEPOINT s;\nROLLBACK TO s;\n', 'damaged'],
    ['BEGIN;\nCREATE TABLE a ();\nCOMMIT AND CHAIN;\n', 'damaged'],
  ])('and is refused where a transaction is left open, which psql would take back: %s', async (sql, code) => {
    expect(await failure(() => guard(sql))).toMatchObject({ code, message: expect.stringContaining('BEGIN without its COMMIT') });
  });

  it.each(['BEGIN;\nCREATE TABLE a ();\nCOMMIT;\n', 'begin;\nend;\nstart transaction;\nROLLBACK;\nBEGIN;\nCOMMIT AND NO CHAIN;\n'])(
    'and is not where it ends: %s',
    (sql) => {
      expect(guard(sql).text).toBe(sql);
    },
  );

  it('and says of SQL that pg_dump did not write that this cannot be known', () => {
    expect(guard('CREATE TABLE t ();\n').report).toMatchObject({ fromPgDump: false, complete: false, serverMajor: undefined });
  });
});

it('the guard is a stream: it passes the dump on and fails with its error', async () => {
  const whole = new SqlGuard({ serverMajor: 18 });
  const chunks = await Readable.from([dump('plain-18.sql')])
    .compose(whole)
    .toArray();
  expect(latin1(Buffer.concat(chunks))).toBe(without(latin1(dump('plain-18.sql')), RESTRICT));
  expect(whole.report().complete).toBe(true);
  const refused = Readable.from(['SELECT 1;\n', '\\! id\n']).compose(new SqlGuard({ serverMajor: 18 }));
  expect(await failure(() => refused.toArray())).toMatchObject({ code: 'refused' });
});
