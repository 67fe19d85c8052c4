import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeDurably } from '../files.ts';

/** Above this a log grows no more: what does not fit is asked for each time. */
const largest = 64 * 1024 * 1024;

/**
 * Small texts of a storage that is far away, each kept under its key and the tag that tells whether it has changed.
 * One file, a line for each, since a thousand files take longer to open than the storage takes to answer. It can be
 * lost or damaged at any time without harm: what does not parse, and what is not here, is asked for again.
 */
export class ManifestLog {
  readonly #path: string;
  #texts: Map<string, string> | undefined;
  #waiting: string[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  get(key: string, tag: string): string | undefined {
    return this.#read().get(name(key, tag));
  }

  add(key: string, tag: string, text: string): void {
    this.#read().set(name(key, tag), text);
    if (this.#waiting.length === 0) setImmediate(() => this.#write());
    this.#waiting.push(`${JSON.stringify([name(key, tag), text])}\n`);
  }

  /** Forgets what the storage holds no more, once that is most of it. @param tags of all keys there are. */
  retain(tags: ReadonlyMap<string, string>): void {
    const texts = this.#read();
    const kept = [...tags].flatMap(([key, tag]) => {
      const text = texts.get(name(key, tag));
      return text === undefined ? [] : [[name(key, tag), text] as const];
    });
    if (texts.size < 100 || kept.length * 2 > texts.size) return;
    this.#texts = new Map(kept);
    try {
      writeDurably(this.#path, kept.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    } catch {
      // No room for it: the old one is no less true.
    }
  }

  #read(): Map<string, string> {
    if (this.#texts) return this.#texts;
    const texts = new Map<string, string>();
    this.#texts = texts;
    let lines: string[] = [];
    try {
      lines = readFileSync(this.#path, 'utf8').split('\n');
    } catch {
      // Not there yet, or not to be read: then there is nothing to gain.
    }
    for (const line of lines) {
      try {
        const [key, text] = JSON.parse(line) as unknown[];
        if (typeof key === 'string' && typeof text === 'string') texts.set(key, text);
      } catch {
        // The end of a line that a killed process wrote, or of a full disk.
      }
    }
    return texts;
  }

  #write(): void {
    const lines = this.#waiting;
    this.#waiting = [];
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      if (this.#size() > largest) return;
      // On a line of its own: the last one may have been cut off.
      appendFileSync(this.#path, `\n${lines.join('')}`, { mode: 0o600 });
    } catch {
      // No room, or no right: the next listing asks again.
    }
  }

  #size(): number {
    let size = 0;
    for (const [key, text] of this.#read()) size += key.length + text.length;
    return size;
  }
}

function name(key: string, tag: string): string {
  return `${tag} ${key}`;
}
