import { Readable } from 'node:stream';
import { PgbackupError } from '../../domain/errors.ts';
import type { ListedKey, PutOptions, PutResult, Storage, StoredObject } from '../../ports.ts';

/** A storage in memory that keeps every promise of the port: the twin on which use cases are tested. */
export class MemoryStorage implements Storage {
  readonly name: string;
  readonly place = 'memory';
  readonly #objects = new Map<string, { bytes: Buffer; modified: Date }>();

  constructor(name = 'memory') {
    this.name = name;
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, { signal }: PutOptions = {}): Promise<PutResult> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) {
      signal?.throwIfAborted();
      chunks.push(chunk);
    }
    signal?.throwIfAborted();
    const bytes = Buffer.concat(chunks);
    this.#objects.set(key, { bytes, modified: new Date() });
    return { bytes: bytes.length, confirmed: false };
  }

  async get(key: string): Promise<Readable> {
    return Readable.from([this.#must(key)], { objectMode: false });
  }

  async readText(key: string): Promise<string> {
    return this.#must(key).toString('utf8');
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const found = this.#objects.get(key);
    return found && { key, size: found.bytes.length, modified: found.modified };
  }

  async *list(prefix: string): AsyncIterable<ListedKey> {
    for (const [key, { modified }] of this.#objects) if (key.startsWith(prefix)) yield { key, tag: undefined, modified };
  }

  async delete(key: string): Promise<void> {
    this.#objects.delete(key);
  }

  filePath(): undefined {
    return undefined;
  }

  async sweep(): Promise<void> {
    // Nothing half done is ever kept.
  }

  #must(key: string): Buffer {
    const found = this.#objects.get(key);
    if (!found) throw new PgbackupError('not-found', `There is no ${key} in memory`);
    return found.bytes;
  }
}
