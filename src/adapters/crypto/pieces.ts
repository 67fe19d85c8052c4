/**
 * Cuts a stream into pieces of `size` bytes. Only the last piece may be shorter, and it is told apart: age marks it,
 * so that no other can pass for the end. An empty stream is one empty piece; one of an exact multiple has no empty one.
 * A piece is to be used before the next is asked for: its memory may be used again.
 */
export async function* pieces(
  body: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ readonly piece: Uint8Array; readonly last: boolean }> {
  const held = Buffer.allocUnsafe(size);
  let used = 0;
  // A whole piece is kept back until more has come: only then is it known not to be the last.
  let whole: Uint8Array | undefined;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length;) {
      if (whole) yield { piece: whole, last: false };
      whole = undefined;
      // Taken as it lies. Pipes give chunks of just this size, and a copy of each costs a quarter of the speed.
      if (used === 0 && chunk.length - at >= size) {
        whole = chunk.subarray(at, at + size);
        at += size;
        continue;
      }
      const taken = Math.min(size - used, chunk.length - at);
      held.set(chunk.subarray(at, at + taken), used);
      used += taken;
      at += taken;
      if (used < size) continue;
      whole = held;
      used = 0;
    }
  }
  yield { piece: whole ?? held.subarray(0, used), last: true };
}
