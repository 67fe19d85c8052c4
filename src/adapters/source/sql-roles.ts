import { SqlLexer, type SqlSink } from './sql-lexer.ts';
import { findWord, grantedOn, isWord, readTokens, type Statement, type TokenSpan, wordsAt } from './sql-statement.ts';

/** Words that stand where a role does, but name none. */
const NO_ROLE = new Set(['public', 'current_user', 'current_role', 'session_user', 'none', 'default']);

/**
 * The roles a statement needs to exist: those of OWNER TO, GRANT, REVOKE, ALTER DEFAULT PRIVILEGES,
 * CREATE POLICY, CREATE SCHEMA … AUTHORIZATION, USER MAPPING, SET ROLE and SET SESSION AUTHORIZATION.
 * What concerns the database or the server as a whole is left out, as those statements are not run.
 */
export function rolesOf(statement: Statement): string[] {
  const first = statement[0];
  if (first?.kind !== 'word') return [];
  switch (first.text) {
    case 'grant':
    case 'revoke':
      return grantedOn(statement)?.kind === 'database' ? [] : grantees(statement, findWord(statement, 1, 'on'));
    case 'alter':
      if (wordsAt(statement, 1, 'default', 'privileges')) {
        return [...listAfter(statement, findWord(statement, 3, 'role', 'user')), ...grantees(statement, findWord(statement, 3, 'on'))];
      }
      if (isWord(statement[1], 'database', 'role', 'user', 'group', 'tablespace')) return userMapping(statement);
      return owners(statement);
    case 'create':
      if (isWord(statement[1], 'policy')) return listAfter(statement, findWord(statement, 2, 'to'));
      if (isWord(statement[1], 'schema')) return listAfter(statement, findWord(statement, 2, 'authorization'));
      return userMapping(statement);
    case 'set':
      if (findWord(statement, 1, 'authorization') !== -1 && findWord(statement, 1, 'authorization') <= 3) {
        return listAfter(statement, findWord(statement, 1, 'authorization'));
      }
      return isWord(statement[1], 'role') ? listAfter(statement, 1) : [];
    default:
      return [];
  }
}

/** Every statement of SQL without data: unlike a search in the text, not what stands in a function's body. */
export function eachStatement(text: string, visit: (statement: Statement) => void): void {
  let spans: TokenSpan[] = [];
  const sink: SqlSink = {
    begin: () => (spans = []),
    token: (kind, start, end) => spans.push({ kind, start, end }),
    end: () => {
      visit(readTokens(spans, lexer.buffer, lexer.base));
      return 'sql';
    },
    command: () => {},
    comment: () => {},
  };
  const lexer = new SqlLexer(sink);
  lexer.scan(Buffer.from(text), true);
}

function owners(statement: Statement): string[] {
  const at = statement.findIndex((_, index) => index > 1 && wordsAt(statement, index, 'owner', 'to'));
  return at === -1 ? [] : listAfter(statement, at + 1);
}

function userMapping(statement: Statement): string[] {
  return wordsAt(statement, 1, 'user', 'mapping') ? listAfter(statement, findWord(statement, 3, 'for')) : [];
}

function grantees(statement: Statement, on: number): string[] {
  if (on === -1) return [];
  return [...listAfter(statement, findWord(statement, on, 'to', 'from')), ...listAfter(statement, findWord(statement, on, 'by'))];
}

/** The names behind the word at `index`, separated by commas. */
function listAfter(statement: Statement, index: number): string[] {
  const roles: string[] = [];
  if (index === -1) return roles;
  for (let at = index + 1; at < statement.length; at += 2) {
    if (isWord(statement[at], 'group')) at += 1;
    const token = statement[at];
    if (token === undefined || token.kind === 'symbol') break;
    const role = token.kind === 'string' ? token.text.slice(1, -1).replaceAll("''", "'") : token.text;
    if (token.kind !== 'word' || !NO_ROLE.has(role)) roles.push(role);
    if (statement[at + 1]?.text !== ',') break;
  }
  return roles;
}
