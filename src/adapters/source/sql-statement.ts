import type { TokenKind } from './sql-lexer.ts';

/** Where a token lies, as the lexer told it. */
export interface TokenSpan {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
}

/** A token with its text: words in lower case, quoted names without their quotes, the others as they are. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

/** The tokens of a statement, or of its beginning. */
export type Statement = readonly Token[];

/** Gives the spans their text; `bytes` holds the dump from offset `base` on. */
export function readTokens(spans: readonly TokenSpan[], bytes: Buffer, base: number): Statement {
  return spans.map(({ kind, start, end }) => ({ kind, text: textOf(kind, bytes.subarray(start - base, end - base)) }));
}

function textOf(kind: TokenKind, bytes: Buffer): string {
  const text = bytes.toString('utf8');
  switch (kind) {
    case 'word':
      return text.toLowerCase();
    case 'quoted':
      return text.slice(1, -1).replaceAll('""', '"');
    case 'string':
    case 'symbol':
      return text;
  }
}

/** Whether the words stand at `index`, unquoted and in this order. */
export function wordsAt(statement: Statement, index: number, ...words: readonly string[]): boolean {
  return words.every((word, offset) => isWord(statement[index + offset], word));
}

/** Whether a token is one of these words, unquoted. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text);
}

/** The name that a token is, quoted or not. */
export function nameOf(token: Token | undefined): string | undefined {
  return token?.kind === 'word' || token?.kind === 'quoted' ? token.text : undefined;
}

/** The index behind `IF EXISTS` or `IF NOT EXISTS`, if it stands at `index`. */
export function skipIfExists(statement: Statement, index: number): number {
  if (wordsAt(statement, index, 'if', 'exists')) return index + 2;
  return wordsAt(statement, index, 'if', 'not', 'exists') ? index + 3 : index;
}

/** Index of the first of the words outside of parentheses, from `from` on; -1 if there is none. */
export function findWord(statement: Statement, from: number, ...words: readonly string[]): number {
  let depth = 0;
  for (let index = from; index < statement.length; index += 1) {
    const token = statement[index];
    if (token?.kind === 'symbol' && token.text === '(') depth += 1;
    else if (token?.kind === 'symbol' && token.text === ')') depth -= 1;
    // behind a dot even a reserved word is a name
    else if (depth === 0 && isWord(token, ...words) && statement[index - 1]?.text !== '.') return index;
  }
  return -1;
}

/** What a GRANT or REVOKE is about: the word behind ON, `''` for plain tables, undefined for a membership. */
export function grantedOn(statement: Statement): { readonly kind: string; readonly name: Token | undefined } | undefined {
  const on = findWord(statement, 1, 'on');
  if (on === -1) return undefined;
  const kind = statement[on + 1];
  return { kind: kind?.kind === 'word' ? kind.text : '', name: statement[on + 2] };
}
