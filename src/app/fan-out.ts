/**
 * Hands one stream to several readers, each of which may fail without hurting the others. A chunk is passed on when all
 * that still read have taken it, so memory holds one chunk for each, and the slowest sets the pace.
 * When the source fails, all readers see its error; when nobody reads any more, the source is closed.
 * @returns what became of each reader, in order. @throws whatever the source throws.
 */
export async function fanOut<T>(
  source: AsyncIterable<Uint8Array>,
  readers: readonly ((body: AsyncIterable<Uint8Array>) => Promise<T>)[],
): Promise<PromiseSettledResult<T>[]> {
  const branches = readers.map(() => new Branch());
  const results = Promise.allSettled(
    readers.map(async (read, i) => {
      const branch = branches[i] as Branch;
      try {
        return await read(branch);
      } finally {
        branch.leave();
      }
    }),
  );
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const chunk of source) {
      await Promise.all(branches.map((branch) => branch.push(chunk)));
      if (branches.every((branch) => branch.left)) break;
    }
  } catch (error) {
    failure = { error };
  }
  for (const branch of branches) branch.end(failure);
  const settled = await results;
  if (failure) throw failure.error;
  return settled;
}

/** One reader's end of the stream. */
class Branch implements AsyncIterable<Uint8Array> {
  left = false;
  #waiting: Uint8Array | undefined;
  #ended: { readonly failure: { readonly error: unknown } | undefined } | undefined;
  #taken: () => void = () => {};
  #filled: () => void = () => {};

  /** Resolves when the reader has asked for what comes after it, or has gone. */
  push(chunk: Uint8Array): Promise<void> {
    if (this.left) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = chunk;
      this.#taken = resolve;
      this.#filled();
    });
  }

  end(failure: { readonly error: unknown } | undefined): void {
    this.#ended = { failure };
    this.#filled();
  }

  leave(): void {
    this.left = true;
    this.#waiting = undefined;
    this.#taken();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        while (this.#waiting === undefined && this.#ended === undefined) await new Promise<void>((resolve) => (this.#filled = resolve));
        const chunk = this.#waiting;
        if (chunk === undefined) {
          if (this.#ended?.failure) throw this.#ended.failure.error;
          return;
        }
        this.#waiting = undefined;
        // Let go of before it is worked on: the source fetches the next one meanwhile.
        this.#taken();
        yield chunk;
      }
    } finally {
      this.leave();
    }
  }
}
