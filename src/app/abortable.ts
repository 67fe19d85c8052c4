/**
 * Leaves waiting for the work when the signal fires. The work itself goes on: only for what ends by itself once
 * its sidecar is killed or this process is gone.
 * @throws the signal's reason, and whatever the work throws.
 */
export async function abortable<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
  }
}
