/** What the first bytes of a file say it is. */
export type SniffedKind = 'custom' | 'gzip' | 'zstd' | 'xz' | 'bzip2' | 'tar' | 'gpg' | 'age' | 'sql' | 'empty' | 'unknown';

/** Bytes of a file's beginning that `sniff` wants to see (fewer only where the file is shorter). */
export const SNIFF_BYTES = 16 * 1024;

const MAGICS: readonly (readonly [SniffedKind, readonly number[]])[] = [
  ['custom', [0x50, 0x47, 0x44, 0x4d, 0x50]],
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  // "BZh", the level, then pi (a block) or the root of pi (an empty file)
  ...'123456789'.split('').flatMap((level) => {
    const start = [0x42, 0x5a, 0x68, level.charCodeAt(0)];
    return [
      ['bzip2', [...start, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59]],
      ['bzip2', [...start, 0x17, 0x72, 0x45, 0x38, 0x50, 0x90]],
    ] as const;
  }),
  // By its bytes, since its payload is no text.
  ['age', [...Buffer.from('age-encryption.org/')]],
  // OpenPGP: a session key packet, encrypted with a passphrase (version 4, 5) or a public key (version 3)
  ['gpg', [0x8c, 0x0d, 0x04]],
  ['gpg', [0xc3, 0x0d, 0x04]],
  ['gpg', [0x8c, 0x2e, 0x05]],
  ['gpg', [0xc3, 0x2e, 0x05]],
];

/** The words a plain dump, or SQL written by hand, begins with. */
const SQL_START =
  /^(?:alter|analyze|begin|call|comment|commit|copy|create|delete|do|drop|grant|insert|lock|merge|refresh|reset|revoke|select|set|start|truncate|update|vacuum|with)(?![\w$])/i;

/**
 * Tells the kind of a file by its first bytes, never by its name. `head` is the beginning of the file,
 * `SNIFF_BYTES` of it or the whole file if it is shorter. A page of HTML, XML or JSON (what a bucket
 * answers instead of the object) is `unknown`.
 */
export function sniff(head: Uint8Array): SniffedKind {
  if (head.length === 0) return 'empty';
  for (const [kind, magic] of MAGICS) {
    if (magic.every((byte, index) => head[index] === byte)) return kind;
  }
  if (isSkippableZstdFrame(head)) return 'zstd';
  if (isPublicKeyPacket(head)) return 'gpg';
  if (isTarHeader(head)) return 'tar';
  const text = asText(head);
  if (text === undefined) return 'unknown';
  if (text.startsWith('-----BEGIN PGP MESSAGE-----')) return 'gpg';
  if (text.startsWith('-----BEGIN AGE ENCRYPTED FILE-----')) return 'age';
  return looksLikeSql(text) ? 'sql' : 'unknown';
}

function isSkippableZstdFrame(head: Uint8Array): boolean {
  const [first = 0, ...rest] = head.subarray(0, 4);
  return first >= 0x50 && first <= 0x5f && rest[0] === 0x2a && rest[1] === 0x4d && rest[2] === 0x18;
}

/** Old (0x84, 0x85) and new (0xc1) packet heads of tag 1: their length, then version 3 and an 8-byte key id. */
function isPublicKeyPacket(head: Uint8Array): boolean {
  switch (head[0]) {
    case 0x84:
      return head[2] === 3;
    case 0x85:
      return head[3] === 3;
    case 0xc1:
      return (head[1] ?? 0) >= 192 ? head[3] === 3 : head[2] === 3;
    default:
      return false;
  }
}

/** The sum over the header block is what every tar has; the word `ustar` is missing from old ones. */
function isTarHeader(head: Uint8Array): boolean {
  if (head.length < 512 || head[0] === 0) return false;
  const field = String.fromCharCode(...head.subarray(148, 156))
    .replace(/\0.*$/s, '')
    .trim();
  if (!/^[0-7]+$/.test(field)) return false;
  let sum = 8 * 0x20;
  for (let index = 0; index < 512; index += 1) {
    if (index < 148 || index >= 156) sum += head[index] ?? 0;
  }
  return sum === Number.parseInt(field, 8);
}

/** The text of a head, or nothing where it holds bytes that no text has. */
function asText(head: Uint8Array): string | undefined {
  // a control character: anything but tab, newline, form feed and carriage return
  if (head.some((byte) => byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13)) return undefined;
  const text = new TextDecoder('utf-8', { ignoreBOM: false }).decode(head, { stream: true });
  // LATIN1 dumps are legal (`pg_dump -E`), so a few bytes that are no UTF-8 do not matter; many do
  const broken = text.split('\ufffd').length - 1;
  return broken > text.length / 4 ? undefined : text;
}

function looksLikeSql(text: string): boolean {
  const line = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|;)/;
  let rest = text;
  let comments = 0;
  for (let found = line.exec(rest); found !== null && found[0] !== ''; found = line.exec(rest)) {
    if (found[0].startsWith('--')) comments += 1;
    rest = rest.slice(found[0].length);
  }
  // a head that is nothing but comments is that of a dump with a long preamble
  if (rest === '') return comments > 0;
  return SQL_START.test(rest) || /^\\(?:restrict|connect|c|set|encoding)\s/.test(rest);
}
