/** Where what is said goes to: of two lists of suites that run side by side, the second is heard when the first has ended. */
import { AsyncLocalStorage } from 'node:async_hooks';

type Chunk = string | Uint8Array;

const lane = new AsyncLocalStorage<Chunk[]>();

/** Writes to stdout, or keeps it for later. */
export function write(chunk: Chunk): void {
  const kept = lane.getStore();
  if (kept) kept.push(chunk);
  else process.stdout.write(chunk);
}

/** Does two things at the same time. What the second says comes after all that the first does. */
export async function besides<T>(first: () => Promise<T>, second: () => Promise<T>): Promise<[T, T]> {
  const kept: Chunk[] = [];
  const later = lane.run(kept, second);
  later.catch(() => {});
  try {
    const one = await first();
    return [one, await later];
  } finally {
    await later.catch(() => {});
    for (const chunk of kept) write(chunk);
  }
}
