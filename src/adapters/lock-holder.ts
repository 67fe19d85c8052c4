import { existsSync, ftruncateSync, readFileSync, writeSync } from 'node:fs';
import * as v from 'valibot';
import { formatTime } from '../domain/format.ts';

const holderSchema = v.object({ pid: v.number(), purpose: v.string(), since: v.string() });

export type Holder = v.InferOutput<typeof holderSchema>;

/** Who holds a lock, for the message to others; the lock itself needs no word on a disk that may be full. */
export function noteHolder(fd: number, holder: Holder | undefined): void {
  try {
    ftruncateSync(fd);
    if (holder) writeSync(fd, JSON.stringify(holder));
  } catch {
    // Others are told that another command has just begun.
  }
}

/** What the file of a lock tells of who holds it. */
export function readHolder(path: string): string {
  try {
    const holder = v.parse(holderSchema, JSON.parse(readFileSync(path, 'utf8')));
    const process = existsSync(`/proc/${holder.pid}`)
      ? `process ${holder.pid}`
      : `process ${holder.pid} is gone, a dokku command that it began still runs`;
    return `${holder.purpose} since ${formatTime(holder.since)} (${process})`;
  } catch {
    return 'another command has just begun';
  }
}
