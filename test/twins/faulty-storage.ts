import { Readable } from 'node:stream';
import type { ListedKey, PutOptions, PutResult, Storage, StoredObject } from '../../src/ports.ts';
import type { Faults } from './faults.ts';

/** A storage each of whose calls can be made to fail: before it did anything, after it did all, and in the middle of a stream. */
export class FaultyStorage implements Storage {
  readonly #inner: Storage;
  readonly #faults: Faults;
  readonly name: string;
  readonly place: string;

  readonly #called: string;

  /** @param called how its calls are named. */
  constructor(inner: Storage, faults: Faults, called = 'storage') {
    this.#called = called;
    this.#inner = inner;
    this.#faults = faults;
    this.name = inner.name;
    this.place = inner.place;
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<PutResult> {
    return this.#faults.call(`${this.#called}.put ${key}`, () => this.#inner.put(key, body, options));
  }

  async get(key: string): Promise<Readable> {
    const stream = await this.#faults.call(`${this.#called}.get ${key}`, () => this.#inner.get(key));
    const faults = this.#faults;
    const called = this.#called;
    return Readable.from(
      (async function* () {
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          yield chunk.subarray(0, chunk.length / 2);
          await faults.call(`${called}.get ${key}, midway`, () => {});
          yield chunk.subarray(chunk.length / 2);
        }
      })(),
      { objectMode: false },
    );
  }

  async readText(key: string): Promise<string> {
    return this.#faults.call(`${this.#called}.readText ${key}`, () => this.#inner.readText(key));
  }

  async head(key: string): Promise<StoredObject | undefined> {
    return this.#faults.call(`${this.#called}.head ${key}`, () => this.#inner.head(key));
  }

  async *list(prefix: string): AsyncIterable<ListedKey> {
    await this.#faults.call(`${this.#called}.list ${prefix}`, () => {});
    yield* this.#inner.list(prefix);
  }

  async delete(key: string): Promise<void> {
    await this.#faults.call(`${this.#called}.delete ${key}`, () => this.#inner.delete(key));
  }

  filePath(key: string): string | undefined {
    return this.#inner.filePath(key);
  }

  async sweep(prefix: string, olderThan?: Date): Promise<void> {
    await this.#faults.call(`${this.#called}.sweep ${prefix}`, () => this.#inner.sweep(prefix, olderThan));
  }
}
