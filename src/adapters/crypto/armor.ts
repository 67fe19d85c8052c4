import { PgbackupError } from '../../domain/errors.ts';

const BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----';
const END = '-----END AGE ENCRYPTED FILE-----';
/** Longer than any line there may be. */
const LINE_LIMIT = 128;

/** Whether a file that begins so is age's ASCII armor. */
export function isArmored(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, BEGIN.length)).toString('latin1') === BEGIN;
}

/**
 * The bytes inside ASCII armor. As strict as age itself: whatever is not exactly armor, a missing end included, is
 * an error, so that no two texts give the same bytes.
 * @throws PgbackupError damaged; errors of the body come through unchanged.
 */
export async function* dearmor(body: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Buffer> {
  const reader = new ArmorReader(name);
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_LIMIT) throw damaged(name, 'a line is too long');
    const bytes = reader.read(lines);
    if (bytes.length > 0) yield bytes;
  }
  const bytes = reader.read(rest === '' ? [] : [rest]);
  if (bytes.length > 0) yield bytes;
  reader.finish();
}

class ArmorReader {
  readonly #name: string;
  #state: 'before' | 'inside' | 'short' | 'after' = 'before';

  constructor(name: string) {
    this.#name = name;
  }

  /** The bytes of these lines. */
  read(lines: readonly string[]): Buffer {
    const found: Buffer[] = [];
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (this.#state === 'before' && line === BEGIN) this.#state = 'inside';
      else if (this.#state === 'after' && line.trim() === '') continue;
      else if ((this.#state === 'inside' || this.#state === 'short') && line === END) this.#state = 'after';
      else if (this.#state === 'inside') found.push(this.#decode(line));
      else throw damaged(this.#name, this.#state === 'after' ? 'something follows its end' : 'a line is not what it should be');
    }
    return Buffer.concat(found);
  }

  finish(): void {
    if (this.#state !== 'after') throw damaged(this.#name, 'it is cut off: its last line is missing');
  }

  #decode(line: string): Buffer {
    const bytes = Buffer.from(line, 'base64');
    // Also shows that Node, which passes over what is no base64, has passed over nothing.
    if (bytes.length === 0 || bytes.length > 48 || bytes.toString('base64') !== line) throw damaged(this.#name, 'a line is not base64');
    if (bytes.length < 48) this.#state = 'short';
    return bytes;
  }
}

function damaged(name: string, how: string): PgbackupError {
  return new PgbackupError('damaged', `${name} is damaged (age's ASCII armor): ${how}.`, {
    hint: 'Take another copy of it; what there is of this one is not restored.',
  });
}
