/** A stream whose beginning can be looked at before it is read. Disposing of it ends the stream behind it. */
export class Lookahead implements AsyncDisposable {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #head: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]();
  }

  /** The beginning, as soon as it is enough, or all there is. The bytes stay in the stream. */
  async peek(enough: (head: Buffer) => boolean): Promise<Buffer> {
    while (!this.#ended && !enough(this.#head)) {
      const next = await this.#chunks.next();
      if (next.done === true) this.#ended = true;
      else this.#head = Buffer.concat([this.#head, next.value]);
    }
    return this.#head;
  }

  /** All that has not been read, without its first bytes. */
  async *rest(skipped = 0): AsyncGenerator<Uint8Array> {
    if (this.#head.length > skipped) yield this.#head.subarray(skipped);
    if (this.#ended) return;
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) yield next.value;
    this.#ended = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.();
  }
}
