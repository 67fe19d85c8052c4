import { chmodSync, chownSync, lchownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const nobody = 65_534;

/** Root may do everything: a test about permissions runs its part as `nobody`, or as who we are when we are not root. */
export async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

/** Gives a temporary folder and all in it to that user. */
export function openToEverybody(folder: string): void {
  chmodSync(folder, 0o755);
  if (process.geteuid?.() !== 0) return;
  chownSync(folder, nobody, nobody);
  for (const entry of readdirSync(folder, { recursive: true })) lchownSync(join(folder, String(entry)), nobody, nobody);
}
