import { PgbackupError } from '../../domain/errors.ts';

function refuseNul(text: string): void {
  if (text.includes('\0')) throw new PgbackupError('postgres', 'A name or value with a NUL byte cannot be given to Postgres');
}

/** A name as an SQL identifier. */
export function identifier(name: string): string {
  refuseNul(name);
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL string, right with either setting of standard_conforming_strings. */
export function literal(text: string): string {
  refuseNul(text);
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? `E${quoted}` : quoted;
}

/** A connection string that names just the database, whatever characters are in the name. */
export function connectionTo(database: string): string {
  refuseNul(database);
  return `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
