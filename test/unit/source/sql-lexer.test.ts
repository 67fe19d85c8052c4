import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { dump, failure, guard, latin1 } from './helpers.ts';

/** What looks like a psql command and a statement to refuse, wherever it is not quoted. */
const BAIT = '\\! id; CREATE ROLE evil; COPY x FROM stdin;';

/** Each hides the bait; psql takes it for data. */
const HIDING: readonly string[] = [
  `SELECT '${BAIT}';`,
  `SELECT 'it''s ${BAIT}', '''', '';`,
  `SELECT E'\\'${BAIT}\\\\', e'\\\\';`,
  `SELECT E'a\\''\n  -- a remark\n  '\\'${BAIT}';`,
  `SELECT B'01', X'1F', N'${BAIT}', U&'\\0041 ${BAIT}';`,
  `SELECT x'\\', '${BAIT}';`,
  `SELECT namee'\\', '${BAIT}';`,
  `SELECT 1 AS "a "" ${BAIT}", "FROM stdin";`,
  `SELECT $$${BAIT}$$, $a$ $$ $b$ ${BAIT} $a$;`,
  `SELECT $ü_1$ ${BAIT} $ü$ $$ $ü_1$;`,
  `SELECT a$b$c, $1, $2$$, ' $$;`,
  `DO $x$ BEGIN EXECUTE '${BAIT}'; END $x$;`,
  `/* ${BAIT} /* ' nested */ " ${BAIT} */ SELECT 1 /**/ + 2 /*/ ; */;`,
  `-- ${BAIT}\nSELECT 1 -- ' ${BAIT}\n+ 2;`,
  `SELECT 1 - 2, 4 / 2, 4 */* ${BAIT} */ 2;`,
  `CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n SELECT CASE WHEN a > 1 THEN 1 ELSE 2 END; SELECT (CASE a WHEN 1 THEN 2 END); CREATE ROLE evil;\nEND;`,
  `create or replace procedure p() begin atomic end;`,
  `CREATE FUNCTION g() RETURNS int LANGUAGE sql RETURN 1;`,
  `CREATE RULE r AS ON INSERT TO t DO (DELETE FROM t; CREATE ROLE evil; SELECT 1);`,
  `COPY t FROM stdin;\n${BAIT}\n\\.\n`,
  `COPY t (a, "b c") FROM stdin WITH (FORMAT csv, NULL 'x');\n\\\\.\n \\.\n\\. \na\\.\n\\.b\n\\.\n`,
  `COPY empty FROM stdin;\n\\.\n`,
  `COPY t FROM stdin; \t\n\n\n\\.\n`,
  `COPY t FROM stdin;\r\nx\r\n\\.\r\n`,
  `COPY "FROM stdin; x" (a) FROM STDIN;\n'\n\\.\n`,
  `copy public . "t""t" /* from */ from -- x\n stdin\n;\n"\n\\.\n`,
  `COPY (SELECT 'FROM stdin;') TO stdout;`,
  `SELECT 'COPY t FROM stdin;\n';`,
  `INSERT INTO t VALUES (1, '${BAIT}', E'\\'', NULL);`,
  `SET standard_conforming_strings = off; SELECT '\\' ${BAIT}', b'0', X'1'; SET standard_conforming_strings TO on;`,
  `set session "standard_conforming_strings" to 'off'; select 'a\\'' '${BAIT}'; SET standard_conforming_strings = DEFAULT; SELECT '\\';`,
  `;;`,
];

describe('the guard passes on, byte for byte, what only looks like a command', () => {
  it.each(HIDING)('%j', (sql) => {
    const text = `CREATE TABLE t ();\n${sql}\nCREATE TABLE last ();\n`;
    expect(guard(text).text).toBe(latin1(text));
  });

  it.each(HIDING)('and refuses one right behind it: %j', async (sql) => {
    const error = await failure(() => guard(`CREATE TABLE t ();\n${sql}\n\\! id\n`));
    expect(error.message).toBe(`Line ${2 + sql.split('\n').length} of the SQL holds the psql command \\! id.`);
  });
});

describe('the guard gives the same whatever the chunks', () => {
  const cuts = fc.array(fc.nat(), { maxLength: 30 });

  it.each(['clean-create-18', 'inserts-15', 'clean-18', 'odd-name'])('in the real dump %s', (name) => {
    const sql = dump(`${name}.sql`);
    const whole = guard(sql, { major: 15 });
    fc.assert(
      fc.property(cuts, (at) => {
        expect(guard(sql, { major: 15, cuts: at })).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  it('in a real dump cut into single bytes', () => {
    for (const name of ['clean-create-18.sql', 'clean-15.sql']) {
      const sql = dump(name);
      expect(guard(sql, { cuts: Array.from(sql.keys()) })).toEqual(guard(sql));
    }
  });

  it('in any mix of statements, which it passes on', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...HIDING), { maxLength: 12 }), cuts, (statements, at) => {
        const sql = `CREATE TABLE t ();\n${statements.join('\n')}`;
        expect(guard(sql, { cuts: at }).text).toBe(latin1(sql));
      }),
      { numRuns: 300 },
    );
  });

  it('in any text at all: the same output, or the same refusal', () => {
    const pieces = [
      "'",
      "''",
      '"',
      '$$',
      '$a$',
      'E',
      '\\',
      '\\.',
      '\n',
      '\r',
      ';',
      '(',
      ')',
      '--',
      '/*',
      '*/',
      '-',
      '/',
      '*',
      '$',
      ' ',
      'a',
      '1',
      'COPY t FROM stdin;\n',
      '\n\\.\n',
      'DROP TABLE x;',
      'CREATE TABLE x ();',
      'GRANT a ON b TO c;',
      'CREATE SCHEMA public;',
      '\\connect a\n',
      '\\restrict a\n',
      'BEGIN ATOMIC',
      'END',
      'CREATE FUNCTION f()',
      'ü',
      'SET standard_conforming_strings = off;',
    ];
    const outcome = (sql: string, at: readonly number[]): unknown => {
      try {
        return guard(sql, { cuts: at });
      } catch (error) {
        return error instanceof Error ? error.message : error;
      }
    };
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 25 }), cuts, (parts, at) => {
        const sql = parts.join('');
        expect(outcome(sql, at)).toEqual(outcome(sql, []));
      }),
      { numRuns: 2000 },
    );
  });

  it('in statements longer than what is held back', () => {
    const long = [
      `COMMENT ON TABLE t IS '${'x'.repeat(9000)}';\n`,
      `ALTER TABLE t ADD CONSTRAINT c CHECK (x IN (${"'y', ".repeat(3000)}'z'));\n`,
      `COMMENT ON DATABASE shop IS '${'a\n'.repeat(9000)}';\n`,
      `SELECT '${'x'.repeat(5000)}', pg_catalog.lo_unlink(1);\n`,
      `DROP FUNCTION f(${'int, '.repeat(2000)} int);\n`,
    ].join('');
    const whole = guard(long);
    expect(whole.text.length).toBeGreaterThan(20_000);
    expect(whole.report.contained).toEqual(['line 3: COMMENT ON DATABASE shop']);
    fc.assert(
      fc.property(cuts, (at) => {
        expect(guard(long, { cuts: at })).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });
});
