import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

const collect = runInNewContext('gc') as () => void;

/** Frees what nobody holds: what is left then is held. Else a measure tells how lazy the collector is today. */
export async function collectGarbage(): Promise<void> {
  // A WeakRef that was made or read holds until the task ends.
  await sleep(0);
  collect();
  // The bytes of buffers are given back by another thread.
  await sleep(10);
}
