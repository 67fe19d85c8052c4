import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { summarizeSchema } from '../../../src/adapters/postgres/archive-contents.ts';
import { isOneQuery } from '../../../src/adapters/source/one-query.ts';
import { createStatement, settingValue } from '../../../src/adapters/postgres/properties.ts';
import { connectionTo, identifier, literal } from '../../../src/adapters/postgres/quote.ts';
import { exampleManifest } from '../../twins/manifest.ts';

/** Reads back what Postgres would: the inside of a quoted identifier, a string in either notation, a libpq value. */
function readIdentifier(sql: string): string {
  const inside = /^"((?:[^"]|"")*)"$/s.exec(sql)?.[1];
  if (inside === undefined) throw new Error(`not one identifier: ${sql}`);
  return inside.replaceAll('""', '"');
}

function readLiteral(sql: string, standardConformingStrings: boolean): string {
  const [, escape, inside] = /^(E?)'((?:[^'\\]|''|\\.)*)'$/s.exec(sql) ?? [];
  if (inside === undefined) throw new Error(`not one string: ${sql}`);
  const withBackslashes = escape === 'E' || !standardConformingStrings;
  const text = inside.replaceAll("''", "'");
  return withBackslashes ? text.replaceAll('\\\\', '\\') : text;
}

function readConnection(text: string): string {
  const inside = /^dbname='((?:[^'\\]|\\.)*)'$/s.exec(text)?.[1];
  if (inside === undefined) throw new Error(`not one value: ${text}`);
  return inside.replaceAll(/\\(.)/gs, '$1');
}

const words = fc.string({ unit: 'binary' }).filter((word) => !word.includes('\0'));

describe('quoting', () => {
  it.each([
    ['shop', '"shop"'],
    ['a"b', '"a""b"'],
    ['Odd schema', '"Odd schema"'],
    ['táble', '"táble"'],
    ['"; DROP DATABASE shop; --', '"""; DROP DATABASE shop; --"'],
    ['', '""'],
  ])('the name %s is %s', (name, sql) => expect(identifier(name)).toBe(sql));

  it.each([
    ['shop', "'shop'"],
    ["it's", "'it''s'"],
    ['a\\b', "E'a\\\\b'"],
    ["\\'; DROP", "E'\\\\''; DROP'"],
    ['', "''"],
  ])('the text %s is %s', (text, sql) => expect(literal(text)).toBe(sql));

  it.each([
    ['shop', "dbname='shop'"],
    ["it's", "dbname='it\\'s'"],
    ['a\\', "dbname='a\\\\'"],
    ['host=evil port=1', "dbname='host=evil port=1'"],
    ['postgres://evil/x', "dbname='postgres://evil/x'"],
  ])('the database %s is reached by %s', (name, text) => expect(connectionTo(name)).toBe(text));

  it('lets nothing out, whatever the name', () => {
    fc.assert(
      fc.property(words, (word) => {
        expect(readIdentifier(identifier(word))).toBe(word);
        expect(readLiteral(literal(word), true)).toBe(word);
        expect(readLiteral(literal(word), false)).toBe(word);
        expect(readConnection(connectionTo(word))).toBe(word);
      }),
      { numRuns: 500, examples: [["'\\"], ['\\\\'], ["''"], ['"']] },
    );
  });

  it.each([identifier, literal, connectionTo])('refuses a NUL byte, which would cut the text short: %o', (quote) => {
    expect(() => quote('a\0b')).toThrow(expect.objectContaining({ code: 'postgres' }));
  });
});

describe('the statement that makes a database', () => {
  const like = exampleManifest().database;

  it('copies encoding and locale from template0, which alone allows others', () => {
    expect(createStatement('pgbackup_scratch_x', like, 14)).toBe(
      `CREATE DATABASE "pgbackup_scratch_x" TEMPLATE template0 OWNER "postgres" ENCODING 'UTF8' LC_COLLATE 'en_US.utf8' LC_CTYPE 'en_US.utf8' TABLESPACE "pg_default"`,
    );
  });

  it.each([
    ['libc, where the template may have another,', {}, ' LOCALE_PROVIDER libc TABLESPACE'],
    ['ICU', { localeProvider: 'i', locale: 'de-DE' } as const, " LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' TABLESPACE"],
    [
      'ICU with rules of its own',
      { localeProvider: 'i', locale: 'und', icuRules: '&a < b' } as const,
      " ICU_LOCALE 'und' ICU_RULES '&a < b' TABLESPACE",
    ],
    [
      'the builtin provider of 17',
      { localeProvider: 'b', locale: 'C.UTF-8' } as const,
      " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TABLESPACE",
    ],
  ])('carries %s over', (_, changes, sql) => expect(createStatement('x', { ...like, ...changes }, 17)).toContain(sql));

  it('quotes all that comes from elsewhere', () => {
    const odd = { ...like, owner: 'o"o', encoding: "e'e", collate: "c'c", ctype: "t't", tablespace: 's"s' };
    expect(createStatement('n"n', odd, 14)).toBe(
      `CREATE DATABASE "n""n" TEMPLATE template0 OWNER "o""o" ENCODING 'e''e' LC_COLLATE 'c''c' LC_CTYPE 't''t' TABLESPACE "s""s"`,
    );
  });
});

describe("what an archive's schema tells", () => {
  const sql = `--
-- PostgreSQL database dump
--

-- Dumped from database version 15.18 (Debian 15.18-1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-1)

SET statement_timeout = 0;
CREATE SCHEMA "Odd schema";
ALTER SCHEMA "Odd schema" OWNER TO reader;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;
COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions';
CREATE EXTENSION vector WITH SCHEMA public;
CREATE TABLE public.users (
    id integer NOT NULL
);
ALTER TABLE public.users OWNER TO "Odd role";
CREATE UNLOGGED TABLE "Odd schema"."táble ""q""" (
    x integer
);
GRANT SELECT ON TABLE public.users TO grantee;
`;

  it('is its version, roles, extensions and tables', () => {
    expect(summarizeSchema(sql)).toEqual({
      serverMajor: 15,
      roles: ['Odd role', 'grantee', 'reader'],
      extensions: ['uuid-ossp', 'pgcrypto', 'vector'],
      tables: 2,
      createsPublic: false,
    });
  });

  it('is whether it makes the schema public itself, which an empty database has already', () => {
    expect(summarizeSchema(`${sql}CREATE SCHEMA public;\n`).createsPublic).toBe(true);
    expect(summarizeSchema(`${sql}CREATE SCHEMA publicity;\n`).createsPublic).toBe(false);
    expect(summarizeSchema(`${sql}COMMENT ON SCHEMA public IS 'CREATE SCHEMA public;';\n`).createsPublic).toBe(false);
  });

  it('is not what stands in the body of a function', () => {
    const body =
      'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $f$\nBEGIN\nCREATE SCHEMA public;\nCREATE EXTENSION postgis;\nCREATE TABLE x ();\nEND $f$;\n';
    expect(summarizeSchema(body)).toMatchObject({ extensions: [], tables: 0, createsPublic: false });
    const atomic = 'CREATE FUNCTION g() RETURNS int LANGUAGE sql\nBEGIN ATOMIC\nSELECT 1;\nEND;\nCREATE SCHEMA public;\n';
    expect(summarizeSchema(atomic).createsPublic).toBe(true);
  });

  it('is nothing for an archive of nothing', () => {
    expect(summarizeSchema('')).toEqual({ serverMajor: undefined, roles: [], extensions: [], tables: 0, createsPublic: false });
  });
});

describe('a setting of a database', () => {
  it.each([
    ['work_mem', '64MB', "'64MB'"],
    ['role', 'app', "'app'"],
    ['client_encoding', 'LATIN1', "'LATIN1'"],
    // Only lists that are quoted name by name: this one is a text with a comma.
    ['app.list', 'a, b', "'a, b'"],
    ['search_path', '"kunden_ä", public', "'kunden_ä', 'public'"],
    ['search_path', '"$user", "od""d, one",public', `'$user', 'od"d, one', 'public'`],
    ['search_path', '""', "''"],
    ['search_path', '', "''"],
    ['session_preload_libraries', 'auto_explain, pg_stat_statements', "'auto_explain', 'pg_stat_statements'"],
  ])('%s %s is given as %s', (name, stored, given) => {
    expect(settingValue(name, stored)).toBe(given);
  });
});

describe('a check', () => {
  it.each(['SELECT 1', ' select count(*) = 3 from "a;b" -- all;\n', "SELECT ')'", 'SELECT (1);;', 'TABLE a /* ; */', 'SELECT $$;)$$'])(
    'is one query: %s',
    (sql) => {
      expect(isOneQuery(sql)).toBe(true);
    },
  );

  it.each([
    'select 1) a; commit; delete from b; select * from (select 1/0',
    'SELECT 1; SELECT 2',
    'SELECT 1) AS a, (SELECT 2',
    'SELECT (1; 2)',
    "SELECT 'open",
    'SELECT /* open',
    'SELECT 1\n\\! id',
    'SELECT (1',
  ])('is more than one query: %s', (sql) => {
    expect(isOneQuery(sql)).toBe(false);
  });
});
