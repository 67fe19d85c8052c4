import { findWord, isWord, type Statement, wordsAt } from './sql-statement.ts';
import { FILES, KEEP, refuse, type Verdict } from './sql-verdict.ts';

/** Client encodings in which a byte of a letter can be a backslash or a quote, so that nothing here is sure. */
const UNSAFE_ENCODINGS = new Set(['sjis', 'shiftjis', 'shiftjis2004', 'big5', 'gbk', 'uhc', 'gb18030', 'johab']);

/** COPY: data that follow in the dump may come in; files and programs of the server are refused. */
export function judgeCopy(statement: Statement): Verdict {
  const at = findWord(statement, 1, 'from', 'to');
  const place = statement[at + 1];
  if (at === -1 || place === undefined) return refuse('a COPY whose source or target is not clear');
  const direction = statement[at]?.text.toUpperCase();
  if (isWord(place, 'program')) return refuse(`COPY … ${direction} PROGRAM`, FILES);
  if (!isWord(place, 'stdin', 'stdout')) return refuse(`COPY … ${direction} a file of the server`, FILES);
  if (direction === 'TO') return KEEP;
  // psql would take the whole rest of the file for the data
  const binary = [statement[1], ...statement.slice(at)].some((token) => token !== undefined && /^'?binary'?$/i.test(token.text));
  return binary ? refuse('a COPY in binary format', FILES) : { action: 'copy' };
}

/** SET client_encoding. */
export function judgeEncoding(name: string): Verdict {
  if (!UNSAFE_ENCODINGS.has(name.replace(/[^a-z0-9]/g, ''))) return KEEP;
  return refuse(`SET client_encoding to ${name}`, 'Dump again with pg_dump --encoding=UTF8.');
}

/** `SELECT pg_catalog.set_config(…)`, which creates nothing. */
export function onlyConfigures(statement: Statement): boolean {
  return wordsAt(statement, 0, 'select') && (isWord(statement[1], 'set_config') || isWord(statement[3], 'set_config'));
}

/** Whether the options of a CREATE SUBSCRIPTION say `connect = false`. */
export function turnsConnectOff(statement: Statement): boolean {
  const at = statement.findIndex((token, index) => isWord(token, 'connect') && statement[index + 1]?.text === '=');
  return /^'?(?:false|off|0)'?$/i.test(statement[at + 2]?.text ?? '');
}

/** `CREATE OR REPLACE VIEW v AS SELECT NULL::type AS column, …`. */
export function isPlaceholder(statement: Statement): boolean {
  const as = findWord(statement, 3, 'as');
  return wordsAt(statement, as, 'as', 'select', 'null') && statement[as + 3]?.text === ':' && statement[as + 4]?.text === ':';
}
