import { open } from 'node:fs/promises';
import { messageOf, PgbackupError } from '../../domain/errors.ts';
import { isMissing, shellWord } from '../files.ts';

/** No key is longer; a dump that was named by mistake is. */
const LIMIT = 64 * 1024;

/** A key or passphrase, as it lies in its file. */
export interface KeyText {
  readonly text: string;
  readonly readableByOthers: boolean;
}

/** The text of a key file, or of standard input for `-`. See `Sources.readKeyFile`. */
export async function readKeyFile(path: string): Promise<KeyText> {
  if (path === '-') return { text: await readStdin(), readableByOthers: false };
  try {
    await using file = await open(path, 'r');
    const found = await file.stat();
    if (found.isDirectory()) throw new PgbackupError('usage', `${path} is a directory, not a key file`);
    const text = await limited(file.createReadStream({ autoClose: false }), path);
    return { text, readableByOthers: found.isFile() && (found.mode & 0o004) !== 0 };
  } catch (cause) {
    if (cause instanceof PgbackupError) throw cause;
    if (isMissing(cause)) throw new PgbackupError('not-found', `There is no file ${path}`, { cause });
    const denied = cause instanceof Error && 'code' in cause && (cause.code === 'EACCES' || cause.code === 'EPERM');
    throw new PgbackupError('refused', `${path} cannot be read: ${denied ? 'permission denied' : messageOf(cause)}.`, {
      cause,
      ...(denied && { hint: `It need not be readable by user dokku. Hand it in: give - as the file, and add: < ${shellWord(path)}` }),
    });
  }
}

async function readStdin(): Promise<string> {
  if (process.stdin.isTTY) {
    throw new PgbackupError('usage', 'Standard input is a terminal, where a key would be shown', { hint: 'Send a file to it: < key.txt' });
  }
  return limited(process.stdin, 'Standard input');
}

async function limited(chunks: AsyncIterable<Uint8Array>, name: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes > LIMIT) throw new PgbackupError('usage', `${name} is no key file: it has more than ${LIMIT / 1024} KiB`);
  }
  return Buffer.concat(parts).toString('utf8');
}
