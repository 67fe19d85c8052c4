/** Bytes and byte classes of PostgreSQL's lexer (psqlscan.l). */
export const NEWLINE = 0x0a;
export const RETURN = 0x0d;
export const QUOTE = 0x27;
export const DOUBLE_QUOTE = 0x22;
export const DOLLAR = 0x24;
export const STAR = 0x2a;
export const DASH = 0x2d;
export const SLASH = 0x2f;
export const BACKSLASH = 0x5c;
export const COLON = 0x3a;
export const BRACE = 0x7b;

export const OTHER = 0;
export const SPACE = 1;
export const WORD = 2;

/** `OTHER`, `SPACE` (newlines too) or `WORD` (may begin an identifier) for every byte. */
export const CLASS = table((byte) => (isSpace(byte) ? SPACE : isWordStart(byte) ? WORD : OTHER));
/** 1 for what may follow in an identifier. */
export const IN_WORD = table((byte) => Number(isWordStart(byte) || isDigit(byte) || byte === DOLLAR));
/** 1 for what may follow in the tag of a dollar quote. */
export const IN_TAG = table((byte) => Number(isWordStart(byte) || isDigit(byte)));

function table(value: (byte: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => value(byte));
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isWordStart(byte: number): boolean {
  const lower = byte | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || byte === 0x5f || byte >= 0x80;
}

/**
 * Offset just behind the quote that closes a string or a quoted name begun before `from`; doubled quotes
 * and, with `escapes`, backslashes are part of it. Where the bytes end first: the complement (`~`) of the
 * offset to read on from when more are there.
 */
export function endOfQuotes(buf: Buffer, from: number, quote: number, escapes: boolean, last: boolean): number {
  const end = buf.length;
  let i = from;
  while (i < end) {
    const byte = buf[i];
    if (byte === quote) {
      if (i + 1 === end && !last) return ~i;
      if (buf[i + 1] !== quote) return i + 1;
      i += 2;
    } else if (escapes && byte === BACKSLASH) {
      if (i + 1 === end) return last ? ~end : ~i;
      i += 2;
    } else {
      i += 1;
    }
  }
  return ~end;
}

/** The same for `needle`, which closes what it ends wherever it stands (dollar quotes). */
export function endOfNeedle(buf: Buffer, from: number, needle: Buffer, last: boolean): number {
  const at = buf.indexOf(needle, from);
  if (at !== -1) return at + needle.length;
  return ~(last ? buf.length : Math.max(from, buf.length - needle.length + 1));
}

const COPY_END = Buffer.from('\n\\.');

/**
 * The same for COPY data; `from` is the newline before its first line. The end is that of the two
 * bytes `\.`, which psql takes for the end only where they fill a line (handleCopyIn in copy.c).
 */
export function endOfCopy(buf: Buffer, from: number, last: boolean): number {
  let i = from;
  for (;;) {
    const at = buf.indexOf(COPY_END, i);
    if (at === -1) return ~(last ? buf.length : Math.max(i, buf.length - 2));
    const next = buf[at + 3];
    if (next === NEWLINE || (next === RETURN && buf[at + 4] === NEWLINE)) return at + 3;
    if (!last && (next === undefined || (next === RETURN && at + 4 === buf.length))) return ~at;
    i = at + 1;
  }
}

/** Offset behind a block comment that is `depth` deep (they nest), or how far and how deep it was read. */
export function endOfBlockComment(
  buf: Buffer,
  from: number,
  depth: number,
  last: boolean,
): { readonly next: number; readonly depth: number } {
  let open = depth;
  for (let i = from; i < buf.length; i += 1) {
    const byte = buf[i];
    if (byte !== STAR && byte !== SLASH) continue;
    if (i + 1 === buf.length && !last) return { next: i, depth: open };
    const next = buf[i + 1];
    if (byte === STAR && next === SLASH) open -= 1;
    else if (byte === SLASH && next === STAR) open += 1;
    else continue;
    i += 1;
    if (open === 0) return { next: i + 1, depth: 0 };
  }
  return { next: buf.length, depth: open };
}

/** Where the opening of a dollar quote at `from` ends; 0 if it is none, undefined if more bytes are needed. */
export function tagEnd(buf: Buffer, from: number): number | undefined {
  let i = from + 1;
  if (i < buf.length && CLASS[buf[i] ?? 0] === WORD) {
    while (i < buf.length && IN_TAG[buf[i] ?? 0] === 1) i += 1;
  }
  if (i >= buf.length) return undefined;
  return buf[i] === DOLLAR ? i + 1 : 0;
}

/** Whether a UTF-8 byte order mark is at the beginning. */
export function startsWithMark(buf: Buffer): boolean {
  return buf[0] === 0xef && buf[1] === 0xbb && buf[2] === 0xbf;
}
