import type { Readable } from 'node:stream';
import type { ListedKey, PutOptions, PutResult, Storage, StoredObject } from '../../ports.ts';
import type { ManifestLog } from './manifest-log.ts';

/**
 * A storage whose manifests need not be fetched twice. What a listing shows to be unchanged is taken from the log on
 * this host; what no listing of this process has shown, from the storage. So it never knows of a backup that is gone.
 */
export class RememberingStorage implements Storage {
  readonly name: string;
  readonly place: string;
  readonly #inner: Storage;
  readonly #log: ManifestLog;
  readonly #tags = new Map<string, string>();

  constructor(inner: Storage, log: ManifestLog) {
    this.#inner = inner;
    this.#log = log;
    this.name = inner.name;
    this.place = inner.place;
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<PutResult> {
    this.#tags.delete(key);
    return this.#inner.put(key, body, options);
  }

  async get(key: string, signal?: AbortSignal): Promise<Readable> {
    return this.#inner.get(key, signal);
  }

  async readText(key: string): Promise<string> {
    const tag = this.#tags.get(key);
    const known = tag === undefined ? undefined : this.#log.get(key, tag);
    if (known !== undefined) return known;
    const text = await this.#inner.readText(key);
    if (tag !== undefined) this.#log.add(key, tag, text);
    return text;
  }

  async head(key: string): Promise<StoredObject | undefined> {
    return this.#inner.head(key);
  }

  async *list(prefix: string): AsyncIterable<ListedKey> {
    for await (const listed of this.#inner.list(prefix)) {
      if (listed.tag !== undefined) this.#tags.set(listed.key, listed.tag);
      yield listed;
    }
    if (prefix === '') this.#log.retain(this.#tags);
  }

  async delete(key: string): Promise<void> {
    this.#tags.delete(key);
    await this.#inner.delete(key);
  }

  filePath(key: string): string | undefined {
    return this.#inner.filePath(key);
  }

  async sweep(prefix: string, olderThan?: Date): Promise<void> {
    await this.#inner.sweep(prefix, olderThan);
  }
}
