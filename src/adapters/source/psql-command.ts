/** A psql command as a dump may hold it; `other` is everything that pg_dump does not write. */
export type PsqlCommand =
  | { readonly kind: 'restrict' | 'unrestrict'; readonly key: string }
  | { readonly kind: 'connect'; readonly database: string }
  /** `\encoding SQL_ASCII`, which pg_dump writes before the `\connect` to a name that is not plain. */
  | { readonly kind: 'encoding' }
  | { readonly kind: 'other'; readonly name: string };

const RESTRICT = /^\\(restrict|unrestrict)\s+([A-Za-z0-9]+)$/;
const CONNECT = /^\\(?:connect|c)\s+(-reuse-previous=on\s+)?([^\s"'`\\:=-][^\s"'`\\:=]*|"(?:[^"]|"")*")$/;
const CONNINFO = /^dbname='((?:[^'\\]|\\.)*)'$/s;

/**
 * Reads one line that begins with a backslash. Strict on purpose: psql would run further commands from
 * the same line, and programs between backticks.
 */
export function parsePsqlCommand(line: string): PsqlCommand {
  const restrict = RESTRICT.exec(line);
  if (restrict !== null) {
    return { kind: restrict[1] === 'restrict' ? 'restrict' : 'unrestrict', key: restrict[2] ?? '' };
  }
  if (line === '\\encoding SQL_ASCII') return { kind: 'encoding' };
  const connect = CONNECT.exec(line);
  if (connect !== null) {
    const database = databaseName(connect[2] ?? '', connect[1] !== undefined);
    if (database !== undefined) return { kind: 'connect', database };
  }
  return { kind: 'other', name: /^\\(?:[A-Za-z_]+\+?|.?)/su.exec(line)?.[0] ?? '\\' };
}

/** pg_dump writes a name that is not plain as a connection string (appendPsqlMetaConnect). */
function databaseName(argument: string, isConninfo: boolean): string | undefined {
  const text = argument.startsWith('"') ? argument.slice(1, -1).replaceAll('""', '"') : argument;
  if (!isConninfo) return text.includes('=') || text.includes('://') ? undefined : text;
  return CONNINFO.exec(text)?.[1]?.replace(/\\(.)/gs, '$1');
}
