/** What the catalogs tell of a database. The queries work on every supported server: columns that came later are read through to_jsonb. */
import * as v from 'valibot';
import { databaseProperties, type DatabaseProperties, type TableRows } from '../../domain/manifest.ts';
import { PgbackupError } from '../../domain/errors.ts';
import type { ServerVersion } from '../../ports.ts';
import { identifier, literal } from './quote.ts';
import type { Session } from './session.ts';

const name = v.object({ name: v.string() });

/** Version of the server that the session is connected to. */
export async function readVersion(session: Session): Promise<ServerVersion> {
  const row = await session.row(
    v.object({ version: v.string(), number: v.pipe(v.string(), v.transform(Number)) }),
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number`,
  );
  return { version: row.version.split(' ')[0] ?? row.version, major: Math.floor(row.number / 10_000) };
}

/** All that a swap would lose of a database. @throws PgbackupError not-found. */
export async function readProperties(session: Session, database: string): Promise<DatabaseProperties> {
  const [found] = await session.rows(
    databaseProperties,
    `SELECT d.datname AS name, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
      d.datcollate AS collate, d.datctype AS ctype,
      coalesce(to_jsonb(d)->>'datlocprovider', 'c') AS "localeProvider",
      coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') AS locale,
      to_jsonb(d)->>'daticurules' AS "icuRules",
      (SELECT spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace) AS tablespace,
      d.datconnlimit AS "connectionLimit", shobj_description(d.oid, 'pg_database') AS comment,
      (SELECT coalesce(json_agg(json_build_object('role', CASE s.setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END,
          'name', split_part(c, '=', 1), 'value', substr(c, strpos(c, '=') + 1)) ORDER BY s.setrole, c), '[]')
        FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid) AS settings,
      CASE WHEN d.datacl IS NOT NULL THEN (SELECT json_agg(json_build_object(
          'grantee', CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type, 'grantable', a.is_grantable) ORDER BY a.grantee, a.privilege_type)
        FROM aclexplode(d.datacl) a) END AS grants
    FROM pg_database d WHERE d.datname = ${literal(database)}`,
  );
  if (!found) throw new PgbackupError('not-found', `The server has no database "${database}"`);
  return found;
}

/** Bytes on disk of the database. */
export async function readBytes(session: Session, database: string): Promise<number> {
  const row = await session.row(v.object({ bytes: v.number() }), `SELECT pg_database_size(${literal(database)}) AS bytes`);
  return row.bytes;
}

/** Extensions of the connected database. */
export async function readExtensions(session: Session): Promise<{ name: string; version: string; schema: string }[]> {
  return session.rows(
    v.object({ name: v.string(), version: v.string(), schema: v.string() }),
    `SELECT extname AS name, extversion AS version, nspname AS schema
     FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1`,
  );
}

/**
 * Roles that objects of the connected database belong to or are granted to. The first superuser is
 * never recorded as a dependency, though its name stands in every dump: it is added by hand.
 */
export async function readRoles(session: Session): Promise<string[]> {
  const rows = await session.rows(
    name,
    `SELECT rolname AS name FROM pg_roles WHERE oid = 10 OR oid IN (SELECT refobjid FROM pg_shdepend
      WHERE refclassid = 'pg_authid'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
     ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}

/** Schemas of the connected database that users made, and `public`. */
export async function readSchemas(session: Session): Promise<string[]> {
  const rows = await session.rows(name, `SELECT nspname AS name FROM pg_namespace WHERE ${userSchema('nspname')} ORDER BY 1`);
  return rows.map((row) => row.name);
}

/** Number of large objects in the connected database. */
export async function readLargeObjects(session: Session): Promise<number> {
  return (await session.row(v.object({ n: v.number() }), 'SELECT count(*) AS n FROM pg_largeobject_metadata')).n;
}

/** The rule for schemas that are not Postgres's own. */
function userSchema(column: string): string {
  return `${column} !~ '^pg_' AND ${column} <> 'information_schema'`;
}

const tablesPerQuery = 50;

/**
 * Ordinary tables whose rows a dump holds: partitions and unlogged tables too; not the tables of extensions,
 * which dump what they like, nor materialized views, whose rows are computed anew by a restore.
 */
export async function readTables(session: Session, schemas: readonly string[]): Promise<{ schema: string; table: string }[]> {
  const filter = schemas.length === 0 ? '' : `AND n.nspname IN (${schemas.map(literal).join(', ')})`;
  return session.rows(
    v.object({ schema: v.string(), table: v.string() }),
    `SELECT n.nspname AS schema, c.relname AS "table" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND ${userSchema('n.nspname')} ${filter}
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY 1, 2`,
  );
}

/** Exact rows of every table that `readTables` gives. @param afterSome called whenever some tables have been counted. */
export async function countRows(session: Session, schemas: readonly string[], afterSome?: () => Promise<void>): Promise<TableRows[]> {
  const tables = await readTables(session, schemas);
  const counted: TableRows[] = [];
  for (let first = 0; first < tables.length; first += tablesPerQuery) {
    const some = tables.slice(first, first + tablesPerQuery);
    const rows = await session.rows(
      v.object({ i: v.number(), n: v.number() }),
      some.map((t, i) => `SELECT ${i} AS i, count(*) AS n FROM ONLY ${identifier(t.schema)}.${identifier(t.table)}`).join(' UNION ALL '),
    );
    const found = new Map(rows.map((row) => [row.i, row.n]));
    some.forEach((table, i) => counted.push({ ...table, rows: found.get(i) ?? 0 }));
    await afterSome?.();
  }
  return counted;
}

/**
 * Tables whose file is another than when the session's snapshot was taken. TRUNCATE and rewriting ALTER TABLE are not
 * MVCC-safe: whoever comes to such a table later, in the same snapshot, finds it empty. The catalog is read in the
 * snapshot, the function looks at what is now.
 */
export async function readRewritten(session: Session): Promise<string[]> {
  const rows = await session.rows(
    name,
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relfilenode <> 0 AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode
       AND ${userSchema('n.nspname')} ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}

/** What stands in the way of renaming the database, or would silently stay with the old one. */
export async function readBlockers(
  session: Session,
  database: string,
): Promise<{ preparedTransactions: string[]; logicalSlots: string[]; subscriptions: string[] }> {
  const of = async (sql: string): Promise<string[]> => (await session.rows(name, sql)).map((row) => row.name);
  return {
    preparedTransactions: await of(`SELECT gid AS name FROM pg_prepared_xacts WHERE database = ${literal(database)} ORDER BY 1`),
    logicalSlots: await of(`SELECT slot_name AS name FROM pg_replication_slots WHERE database = ${literal(database)} ORDER BY 1`),
    subscriptions: await of(`SELECT subname AS name FROM pg_subscription WHERE subenabled AND ${ofDatabase(database)} ORDER BY 1`),
  };
}

/** Subscriptions that the database has, enabled or not. */
export async function readSubscriptions(session: Session, database: string): Promise<string[]> {
  return (await session.rows(name, `SELECT subname AS name FROM pg_subscription WHERE ${ofDatabase(database)}`)).map((row) => row.name);
}

function ofDatabase(database: string): string {
  return `subdbid = (SELECT oid FROM pg_database WHERE datname = ${literal(database)})`;
}
