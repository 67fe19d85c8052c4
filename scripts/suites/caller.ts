/** Whoever waits for this run: npm, behind the shell that it starts us in. */
import { readFileSync } from 'node:fs';

function lineage(): string {
  const stat = readFileSync(`/proc/${process.ppid}/stat`, 'latin1');
  const [, grandparent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${process.ppid} ${grandparent}`;
}

const atStart = lineage();

/** True once npm, or the shell, has been killed: nobody reads any more what we say. */
export function callerIsGone(): boolean {
  return lineage() !== atStart;
}
