import type { PgbackupError } from '../../domain/errors.ts';
import {
  BACKSLASH,
  BRACE,
  CLASS,
  COLON,
  DASH,
  DOLLAR,
  DOUBLE_QUOTE,
  IN_WORD,
  NEWLINE,
  QUOTE,
  RETURN,
  SLASH,
  SPACE,
  STAR,
  WORD,
  endOfBlockComment,
  endOfCopy,
  endOfNeedle,
  endOfQuotes,
  startsWithMark,
  tagEnd,
} from './sql-bytes.ts';
import { LineCounter } from './sql-lines.ts';
import { RoutineBody } from './sql-routine-body.ts';
import { refusal, shorten } from './sql-verdict.ts';

export type TokenKind = 'word' | 'quoted' | 'string' | 'symbol';

/** What the lexer tells. Offsets count bytes from the beginning of the dump. */
export interface SqlSink {
  /** The first byte of a statement. */
  begin(start: number): void;
  /** One token of it; only while `recording` is set. A symbol is one byte. */
  token(kind: TokenKind, start: number, end: number): void;
  /** Its semicolon was read, `end` is the byte after that. Says whether COPY data follow. */
  end(end: number): 'sql' | 'copy';
  /** A backslash outside of all quoting, with the rest of its line. */
  command(text: string, start: number, end: number): void;
  /** A line comment between two statements, as far as `MAX_COMMENT`. */
  comment(text: string): void;
}

type Mode = 'plain' | 'string' | 'escapes' | 'quoted' | 'dollar' | 'line' | 'block' | 'command' | 'copy-line' | 'copy';

/** Longer than any name, dollar tag or command line that pg_dump writes; beyond, a file is refused. */
const MAX_WORD = 64 * 1024;
const MAX_COMMENT = 200;

/**
 * Splits plain SQL as psql does (psqlscan.l), byte by byte, wherever it is cut into chunks. It must never
 * take for quoted what psql would run; where psql and the server differ it follows psql: a carriage return
 * ends a line comment, a semicolon inside parentheses does not end a statement.
 */
export class SqlLexer {
  /** Whether tokens are told. The sink switches it off for the rest of a statement, for speed. */
  recording = true;
  /** What `standard_conforming_strings` is set to. */
  standardStrings = true;
  /** The bytes at hand, and the offset of the first of them. */
  buffer: Buffer = Buffer.alloc(0);
  base = 0;

  private mode: Mode = 'plain';
  private inStatement = false;
  private parens = 0;
  private readonly body = new RoutineBody();
  private tokenStart = 0;
  private tag: Buffer = Buffer.alloc(0);
  private blockDepth = 0;
  private note = '';
  /** After an E'' string, a newline and a quote continue it, and its backslashes count on. */
  private continuation: 'none' | 'closed' | 'newline' = 'none';
  private readonly lines = new LineCounter();
  private readonly sink: SqlSink;

  constructor(sink: SqlSink) {
    this.sink = sink;
  }

  /** Whether nothing is open: no statement, string, comment or COPY data. */
  get atRest(): boolean {
    return this.mode === 'plain' && !this.inStatement;
  }

  /**
   * Reads a chunk as far as it is clear without the next one; the rest is put before that one. `last`
   * says that there is none. Returns the offset that was reached.
   */
  scan(chunk: Buffer, last: boolean): number {
    this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
    const buf = this.buffer;
    let i = this.base === 0 && startsWithMark(buf) ? 3 : 0;
    while (i < buf.length) {
      const mode = this.mode;
      const next = this.read(mode, buf, i, last);
      if (next === i && this.mode === mode) break;
      i = next;
    }
    if (last && this.mode === 'line') this.endComment();
    return this.base + i;
  }

  /** Drops the bytes before `offset`, which `scan` returned. */
  forget(offset: number): void {
    this.lineAt(offset);
    this.buffer = this.buffer.subarray(offset - this.base);
    this.base = offset;
  }

  /** The line, from 1, of an offset; asked in rising order. */
  lineAt(offset: number): number {
    return this.lines.at(offset, this.buffer, this.base);
  }

  private read(mode: Mode, buf: Buffer, i: number, last: boolean): number {
    switch (mode) {
      case 'plain':
        return this.readPlain(buf, i, last);
      case 'string':
      case 'escapes':
        return this.close(endOfQuotes(buf, i, QUOTE, mode === 'escapes', last), 'string', mode === 'escapes');
      case 'quoted':
        return this.close(endOfQuotes(buf, i, DOUBLE_QUOTE, false, last), 'quoted', false);
      case 'dollar':
        return this.close(endOfNeedle(buf, i, this.tag, last), 'string', false);
      case 'line':
        return this.readComment(buf, i);
      case 'block':
        return this.readBlockComment(buf, i, last);
      case 'command':
        return this.readCommand(buf, i, last);
      case 'copy-line':
        return this.readCopyLine(buf, i);
      case 'copy': {
        const end = endOfCopy(buf, i, last);
        if (end >= 0) this.mode = 'plain';
        return end >= 0 ? end : ~end;
      }
    }
  }

  private readPlain(buf: Buffer, from: number, last: boolean): number {
    const end = buf.length;
    let i = from;
    while (i < end) {
      const byte = buf[i] ?? 0;
      const kind = CLASS[byte];
      if (kind === SPACE) {
        if (byte === NEWLINE && this.continuation === 'closed') this.continuation = 'newline';
        i += 1;
      } else if (kind === WORD) {
        let j = i + 1;
        while (j < end && IN_WORD[buf[j] ?? 0] === 1) j += 1;
        if (j - i > MAX_WORD) throw this.refusal(i, 'a word of more than 64 KiB');
        if (j === end && !last) return i;
        this.open(i);
        const prefix = j - i === 1 && buf[j] === QUOTE ? byte | 0x20 : 0;
        if (prefix === 0x65) return this.enter('escapes', i, j + 1);
        // B'' and X'' know no backslashes, whatever standard_conforming_strings says
        if (prefix === 0x62 || prefix === 0x78) return this.enter('string', i, j + 1);
        if (this.recording) this.sink.token('word', this.base + i, this.base + j);
        if (this.body.watching) this.body.word(buf.toString('latin1', i, j), this.parens > 0);
        i = j;
      } else if (byte === QUOTE) {
        const escapes = this.continuation === 'newline' || !this.standardStrings;
        this.open(i);
        return this.enter(escapes ? 'escapes' : 'string', i, i + 1);
      } else if (byte === DOUBLE_QUOTE) {
        this.open(i);
        return this.enter('quoted', i, i + 1);
      } else if (byte === DASH || byte === SLASH) {
        if (i + 1 === end && !last) return i;
        const next = buf[i + 1];
        if (byte === DASH && next === DASH) return this.enter('line', i, i + 2);
        if (byte === SLASH && next === STAR) {
          this.blockDepth = 1;
          this.continuation = 'none';
          return this.enter('block', i, i + 2);
        }
        i = this.symbol(i);
      } else if (byte === COLON) {
        if (i + 2 >= end && !last) return i;
        if (buf[i + 1] === COLON) {
          i = this.symbol(this.symbol(i));
          continue;
        }
        if (isPsqlVariable(buf, i + 1)) throw this.refusal(i, 'a psql variable, in whose place psql would put other text');
        i = this.symbol(i);
      } else if (byte === DOLLAR) {
        const close = tagEnd(buf, i);
        if (close === undefined) {
          if (end - i > MAX_WORD) throw this.refusal(i, 'a dollar quote with a tag of more than 64 KiB');
          if (!last) return i;
        }
        if (close !== undefined && close > 0) {
          this.open(i);
          this.tag = Buffer.from(buf.subarray(i, close));
          return this.enter('dollar', i, close);
        }
        i = this.symbol(i);
      } else if (byte === BACKSLASH) {
        return this.enter('command', i, i);
      } else if (byte === 0x3b && this.parens === 0 && !this.body.open) {
        this.open(i);
        i += 1;
        if (this.endStatement(i) === 'copy') return this.enter('copy-line', i, i);
      } else {
        if (byte === 0x28) this.parens += 1;
        else if (byte === 0x29 && this.parens > 0) this.parens -= 1;
        i = this.symbol(i);
      }
    }
    return i;
  }

  private open(i: number): void {
    this.continuation = 'none';
    if (this.inStatement) return;
    this.inStatement = true;
    this.recording = true;
    this.sink.begin(this.base + i);
  }

  private symbol(i: number): number {
    this.open(i);
    if (this.recording) this.sink.token('symbol', this.base + i, this.base + i + 1);
    return i + 1;
  }

  private endStatement(i: number): 'sql' | 'copy' {
    this.inStatement = false;
    this.parens = 0;
    this.body.reset();
    return this.sink.end(this.base + i);
  }

  private enter(mode: Mode, tokenStart: number, next: number): number {
    this.mode = mode;
    this.tokenStart = this.base + tokenStart;
    this.note = '';
    return next;
  }

  private close(found: number, kind: TokenKind, escapes: boolean): number {
    if (found < 0) return ~found;
    this.mode = 'plain';
    if (escapes) this.continuation = 'closed';
    if (this.recording) this.sink.token(kind, this.tokenStart, this.base + found);
    return found;
  }

  private readComment(buf: Buffer, from: number): number {
    let i = from;
    while (i < buf.length && buf[i] !== NEWLINE && buf[i] !== RETURN) i += 1;
    const room = MAX_COMMENT - this.note.length;
    if (room > 0) this.note += buf.toString('latin1', from, Math.min(i, from + room));
    if (i < buf.length) this.endComment();
    return i;
  }

  private endComment(): void {
    this.mode = 'plain';
    if (!this.inStatement) this.sink.comment(`--${this.note}`);
  }

  private readBlockComment(buf: Buffer, from: number, last: boolean): number {
    const { next, depth } = endOfBlockComment(buf, from, this.blockDepth, last);
    this.blockDepth = depth;
    if (depth === 0) this.mode = 'plain';
    return next;
  }

  private readCommand(buf: Buffer, from: number, last: boolean): number {
    const newline = buf.indexOf(NEWLINE, from);
    const end = newline === -1 ? buf.length : newline;
    if (end - from > MAX_WORD) throw this.refusal(from, 'a psql command of more than 64 KiB');
    if (newline === -1 && !last) return from;
    this.mode = 'plain';
    const text = buf.subarray(from, end).toString('utf8').trimEnd();
    if (this.inStatement) throw this.refusal(from, `the psql command ${shorten(text)} inside a statement`);
    this.sink.command(text, this.base + from, this.base + end);
    return end;
  }

  /** What follows on the line of a COPY … FROM stdin; psql runs after the data, so nothing may. */
  private readCopyLine(buf: Buffer, from: number): number {
    let i = from;
    while (i < buf.length && buf[i] !== NEWLINE && CLASS[buf[i] ?? 0] === SPACE) i += 1;
    if (i === buf.length) return i;
    if (buf[i] !== NEWLINE) throw this.refusal(i, 'more text on the line of a COPY … FROM stdin');
    this.mode = 'copy';
    return i;
  }

  private refusal(i: number, what: string): PgbackupError {
    return refusal(this.lineAt(this.base + i), what);
  }
}

/**
 * What follows a colon names a variable that psql itself sets (`:USER`, `:'HOST'`, `:"DBNAME"`, `:{?ERROR}`): all in
 * capitals. Others are not set, and stay what they are: `a[1:n]`.
 */
function isPsqlVariable(buf: Buffer, at: number): boolean {
  const first = buf[at] ?? 0;
  if (first === BRACE) return true;
  const letter = first === QUOTE || first === DOUBLE_QUOTE ? (buf[at + 1] ?? 0) : first;
  return letter >= 0x41 && letter <= 0x5a;
}
