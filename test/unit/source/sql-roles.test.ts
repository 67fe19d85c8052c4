import { describe, expect, it } from 'vitest';

import { summarizeSchema } from '../../../src/adapters/postgres/archive-contents.ts';
import { dump } from './helpers.ts';

describe('summarizeSchema finds the roles that must exist', () => {
  it.each([
    ['ALTER TABLE public.t OWNER TO shop;', ['shop']],
    ['ALTER TABLE owner OWNER TO "odd "" role";', ['odd " role']],
    ['ALTER FUNCTION f(a integer, b text) OWNER TO a;', ['a']],
    ['ALTER LARGE OBJECT 4711 OWNER TO reader;', ['reader']],
    ['GRANT SELECT(id), UPDATE(name) ON TABLE t TO a, "B", PUBLIC WITH GRANT OPTION GRANTED BY c;', ['B', 'a', 'c']],
    ['REVOKE ALL ON SCHEMA public FROM a; REVOKE USAGE ON SCHEMA public FROM PUBLIC;', ['a']],
    ['GRANT ALL ON FUNCTION f("to" integer) TO a;', ['a']],
    ['ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA s GRANT SELECT ON TABLES TO b;', ['a', 'b']],
    ['ALTER DEFAULT PRIVILEGES FOR ROLE a REVOKE ALL ON TABLES FROM PUBLIC;', ['a']],
    ['CREATE POLICY p ON t FOR SELECT TO a, b USING ((x = CURRENT_USER));', ['a', 'b']],
    ['CREATE POLICY p ON t USING (true);', []],
    ['CREATE SCHEMA s AUTHORIZATION a;', ['a']],
    ['CREATE USER MAPPING FOR a SERVER s; ALTER USER MAPPING FOR b SERVER s;', ['a', 'b']],
    ["SET SESSION AUTHORIZATION 'a'; SET SESSION AUTHORIZATION DEFAULT; SET ROLE b;", ['a', 'b']],
    ['ALTER DATABASE shop OWNER TO a; GRANT CONNECT ON DATABASE shop TO b; ALTER ROLE c IN DATABASE shop SET x TO 1;', []],
    ["SELECT 'ALTER TABLE t OWNER TO a;'; -- ALTER TABLE t OWNER TO b;\n", []],
    ['', []],
  ])('in %s', (sql, roles) => {
    expect(summarizeSchema(sql).roles).toEqual(roles);
  });

  it('in a real dump', () => {
    expect(summarizeSchema(dump('inserts-18.sql').toString()).roles).toEqual(['odd role', 'postgres', 'reader', 'shop_owner']);
  });
});
