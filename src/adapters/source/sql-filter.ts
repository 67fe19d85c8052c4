import { PgbackupError } from '../../domain/errors.ts';
import type { SqlReport } from '../../domain/source.ts';
import { parsePsqlCommand } from './psql-command.ts';
import { CompletionWatch } from './sql-completion.ts';
import { startsWithMark } from './sql-bytes.ts';
import { SqlLexer, type SqlSink, type TokenKind } from './sql-lexer.ts';
import { rolesOf } from './sql-roles.ts';
import { SqlRules } from './sql-rules.ts';
import { readTokens, type TokenSpan } from './sql-statement.ts';
import { CLUSTER_DUMP, refusal, shorten, type Verdict } from './sql-verdict.ts';

/** So much of a statement is held back, at most, to judge it; an INSERT of 100 MB shows what it is at once. */
const HEAD = 4 * 1024;
/** What these are shows only further on: COPY after its columns, GRANT after its privileges, ALTER after its name. */
const LONG_HEAD = 1024 * 1024;
const LONG = new Set(['copy', 'grant', 'revoke', 'alter', 'create']);

/**
 * Runs the rules over a dump and cuts out what they say. `write` gives the bytes to pass on; a statement's
 * bytes are passed on only after the verdict on it.
 */
export class SqlFilter implements SqlSink {
  private readonly lexer = new SqlLexer(this);
  private readonly rules: SqlRules;
  private readonly completion = new CompletionWatch();
  private readonly roles = new Set<string>();
  private readonly contained: string[] = [];
  private restrictKey: string | undefined;
  private last = false;

  private out: Buffer[] = [];
  /** Offset of the first byte that was neither passed on nor left out; `held` are those of it before the buffer. */
  private pending = 0;
  private held: Buffer[] = [];
  private state: 'pass' | 'undecided' | 'drop' = 'pass';
  private copyFollows = false;
  private spans: TokenSpan[] = [];
  private start = 0;
  private startLine = 1;
  private limit = HEAD;

  constructor(targetMajor: number) {
    this.rules = new SqlRules(targetMajor);
  }

  report(): SqlReport {
    const { fromPgDump, complete, serverMajor } = this.completion;
    return {
      fromPgDump,
      complete,
      tables: this.rules.tables,
      contained: [...this.contained],
      roles: [...this.roles].toSorted(),
      extensions: [...this.rules.extensions].toSorted(),
      serverMajor,
    };
  }

  /** Takes the next bytes, `last` with none to follow. Throws a `PgbackupError` where the dump is refused. */
  write(chunk: Buffer, last: boolean): Buffer[] {
    if (chunk.includes(0)) throw new PgbackupError('damaged', 'The SQL holds a zero byte, which no dump has.');
    this.out = [];
    this.last = last;
    const reached = this.lexer.scan(chunk, last);
    // a byte order mark would be a syntax error
    if (this.pending === 0 && this.lexer.base === 0 && reached >= 3 && startsWithMark(this.lexer.buffer)) this.pending = 3;
    if (this.state === 'undecided' && (last || reached - this.start > this.limit)) {
      // psql runs what lacks its semicolon at the end of a file: of a dump that was cut off it must not
      if (last && this.completion.fromPgDump) this.abandon();
      else this.decide(reached);
    }
    if (this.state === 'undecided') {
      this.emit(this.start);
      this.held.push(this.bytes(Math.max(this.start, this.lexer.base), reached));
    } else if (this.state === 'drop') {
      if (last) this.leaveOut(reached);
      this.pending = reached;
    } else {
      this.emit(reached);
    }
    if (last) this.completion.end(this.lexer.atRest);
    // One of pg_dump that was cut off there is told to be incomplete.
    if (last && this.rules.inTransaction && (this.completion.complete || !this.completion.fromPgDump))
      throw new PgbackupError(
        'damaged',
        'The SQL ends inside a transaction (a BEGIN without its COMMIT): what it wrote there would be lost.',
        {
          hint: 'Get a whole copy of it, or add the COMMIT',
        },
      );
    this.lexer.forget(reached);
    return this.out;
  }

  begin(start: number): void {
    this.start = start;
    this.startLine = this.lexer.lineAt(start);
    this.state = 'undecided';
    this.copyFollows = false;
    this.spans = [];
    this.limit = HEAD;
    this.completion.statement();
  }

  token(kind: TokenKind, start: number, end: number): void {
    if (this.spans.length === 0 && kind === 'word') {
      const first = this.bytes(start, end).toString('latin1').toLowerCase();
      if (first === 'insert') {
        this.rules.creating = true;
        this.pass();
        return;
      }
      if (LONG.has(first)) this.limit = LONG_HEAD;
    }
    // the verdict must not depend on how the dump was cut into chunks: it rests on the tokens before the limit
    if (end - this.start > this.limit) this.decide(start);
    else this.spans.push({ kind, start, end });
  }

  end(end: number): 'sql' | 'copy' {
    if (this.state === 'undecided') this.decide(end);
    if (this.state === 'drop') this.leaveOut(end);
    this.state = 'pass';
    return this.copyFollows ? 'copy' : 'sql';
  }

  command(text: string, start: number, end: number): void {
    this.startLine = this.lexer.lineAt(start);
    const command = parsePsqlCommand(text);
    const cutOff = this.last && end === this.lexer.base + this.lexer.buffer.length && this.completion.fromPgDump;
    switch (command.kind) {
      case 'restrict':
      case 'unrestrict':
        this.restrict(command.kind, command.key);
        break;
      case 'connect':
        this.note(this.rules.connect(command.database));
        this.completion.statement();
        break;
      case 'encoding':
        // the \connect it was meant for is left out as well
        break;
      case 'other':
        if (!cutOff)
          throw this.refusal(
            `the psql command ${shorten(text)}`,
            'psql would run it here, outside of the database. Take it out of the file, or dump again with pg_dump.',
          );
        this.completion.cutOff();
        break;
    }
    this.emit(start);
    this.pending = end;
  }

  comment(text: string): void {
    if (text === '-- PostgreSQL database cluster dump') this.note(CLUSTER_DUMP);
    this.completion.comment(text);
  }

  private decide(upTo: number): void {
    this.lexer.recording = false;
    const from = this.held.length === 0 ? this.start : this.pending;
    const { base } = this.lexer;
    const bytes = Buffer.concat([...this.held, this.bytes(Math.max(from, base), Math.max(upTo, base))]);
    const statement = readTokens(this.spans, bytes, from);
    const verdict = this.rules.judge(statement);
    this.note(verdict);
    if (verdict.action === 'drop' || verdict.action === 'replace') {
      this.emit(this.start);
      this.held = [];
      this.pending = this.start;
      this.state = 'drop';
      if (verdict.action === 'replace') this.out.push(Buffer.from(verdict.text));
      return;
    }
    for (const role of rolesOf(statement)) this.roles.add(role);
    this.copyFollows = verdict.action === 'copy';
    if (verdict.action === 'keep' && verdict.standardStrings !== undefined) this.lexer.standardStrings = verdict.standardStrings;
    this.pass();
  }

  private abandon(): void {
    this.emit(this.start);
    this.held = [];
    this.state = 'drop';
  }

  /** Keeps what a verdict says for the report, or throws it. */
  private note(verdict: Verdict): void {
    if (verdict.action === 'refuse') throw this.refusal(verdict.what, verdict.hint);
    if (verdict.action === 'drop' && verdict.note !== undefined) this.contained.push(`line ${this.startLine}: ${shorten(verdict.note)}`);
  }

  private restrict(kind: 'restrict' | 'unrestrict', key: string): void {
    const opens = kind === 'restrict';
    if (opens ? this.restrictKey !== undefined : this.restrictKey !== key) {
      throw this.refusal(
        `a \\${kind} that does not fit the one before`,
        'pg_dump writes them in pairs; the file was changed or put together.',
      );
    }
    this.restrictKey = opens ? key : undefined;
  }

  private pass(): void {
    this.state = 'pass';
    this.lexer.recording = false;
    if (this.held.length === 0) return;
    this.out.push(...this.held);
    this.held = [];
    this.pending = this.lexer.base;
  }

  /** Ends what is left out, keeping its line breaks: psql's messages count lines. */
  private leaveOut(end: number): void {
    const lines = this.lexer.lineAt(end) - this.startLine;
    if (lines > 0) this.out.push(Buffer.alloc(lines, '\n'));
    this.pending = end;
  }

  private emit(to: number): void {
    const from = Math.max(this.pending, this.lexer.base);
    if (this.held.length === 0 && to > from) this.out.push(this.bytes(from, to));
    if (this.held.length === 0) this.pending = Math.max(this.pending, to);
  }

  private bytes(from: number, to: number): Buffer {
    return this.lexer.buffer.subarray(from - this.lexer.base, to - this.lexer.base);
  }

  private refusal(what: string, hint?: string): PgbackupError {
    return refusal(this.startLine, what, hint);
  }
}
