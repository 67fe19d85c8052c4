import { PgbackupError } from '../../domain/errors.ts';

/** What is to be done with a statement. */
export type Verdict =
  | { readonly action: 'keep'; readonly standardStrings?: boolean }
  /** Keep it; COPY data follow. */
  | { readonly action: 'copy' }
  /** Leave it out; a note says so where that is worth knowing. */
  | { readonly action: 'drop'; readonly note?: string }
  | { readonly action: 'replace'; readonly text: string }
  | { readonly action: 'refuse'; readonly what: string; readonly hint?: string };

export const KEEP: Verdict = { action: 'keep' };
export const DROP: Verdict = { action: 'drop' };

const UNUSUAL = 'pg_dump writes no such thing. If the file is to be trusted, take that out of it and try again.';
export const SERVER_WIDE = 'It concerns the whole server. Run it by hand where it is wanted, then take it out of the file.';
export const ONE_DATABASE = `Only one database can be restored. Cut it out of a pg_dumpall file with:
awk '/^-- Database "/ { keep = /"<database>" dump$/ } keep' all.sql > one.sql`;
export const FILES = 'The server would read or write there. Dump the data with pg_dump, which writes them into the file itself.';

/** The refusal of a file that pg_dumpall wrote. */
export const CLUSTER_DUMP: Extract<Verdict, { action: 'refuse' }> = {
  action: 'refuse',
  what: 'the beginning of a pg_dumpall file: all databases and roles of a server',
  hint: ONE_DATABASE,
};

/** The verdict that refuses the dump, with what it holds and what to do about it. */
export function refuse(what: string, hint?: string): Verdict {
  return hint === undefined ? { action: 'refuse', what } : { action: 'refuse', what, hint };
}

/** The error of a refused dump. */
export function refusal(line: number, what: string, hint = UNUSUAL): PgbackupError {
  return new PgbackupError('refused', `Line ${line} of the SQL holds ${what}.`, { hint });
}

/** A command or name short enough for a message. */
export function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
