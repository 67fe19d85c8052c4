import { PgbackupError } from '../domain/errors.ts';

/**
 * A secret from standard input, without its last line end. @param what names it in messages.
 * @throws PgbackupError usage, when nothing comes or too much.
 */
export async function readSecretText(what: string): Promise<string> {
  if (process.stdin.isTTY) {
    throw new PgbackupError('usage', `${what} is read from standard input, which is a terminal here`, {
      hint: `Pipe it in: printf '%s' "$SECRET" | …`,
    });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    const part = Buffer.from(chunk);
    chunks.push(part);
    bytes += part.length;
    if (bytes > 65_536) throw new PgbackupError('usage', `${what} is more than 64 KiB of standard input`);
  }
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (text === '') throw new PgbackupError('usage', `${what} is empty: nothing came on standard input`);
  return text;
}

/** Milliseconds that whoever writes into standard input may take to begin. */
const patience = 200;

/** Whether something comes on standard input. Not waited for longer than that: a pipe may stay open and empty for ever. */
export async function hasPipedText(): Promise<boolean> {
  const { stdin } = process;
  if (stdin.isTTY) return false;
  try {
    return await new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), patience);
      stdin.once('data', () => resolve(true));
      for (const event of ['end', 'error', 'close'] as const) stdin.once(event, () => resolve(false));
    });
  } finally {
    stdin.destroy();
  }
}
