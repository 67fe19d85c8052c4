import { SqlLexer, type SqlSink } from './sql-lexer.ts';

/** Whether a text is the inside of one query: it may end in a semicolon, and closes no parenthesis that it has not opened. */
export function isOneQuery(sql: string): boolean {
  // The semicolon that ends it must be this one.
  const text = Buffer.from(`${sql.trim().replace(/;+$/, '')}\n;`);
  const open = '('.charCodeAt(0);
  const close = ')'.charCodeAt(0);
  // Inside parentheses it ends no statement, and is a symbol like others.
  const semicolon = ';'.charCodeAt(0);
  let depth = 0;
  let one = true;
  let ended = false;
  const sink: SqlSink = {
    begin: () => {},
    token: (kind, start) => {
      if (kind !== 'symbol') return;
      if (text[start] === open) depth += 1;
      if (text[start] === close) depth -= 1;
      one &&= depth >= 0 && text[start] !== semicolon;
    },
    end: (end) => {
      ended = true;
      one &&= end === text.length;
      return 'sql';
    },
    command: () => (one = false),
    comment: () => {},
  };
  const lexer = new SqlLexer(sink);
  try {
    lexer.scan(text, true);
  } catch {
    return false;
  }
  return one && ended && depth === 0;
}
