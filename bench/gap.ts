/** What a client that writes all the time sees of a restore. */
import { capture, container, databaseOf, median, sql, time, type Timing } from './run.ts';

export interface Gap {
  /** Milliseconds between two writes that succeeded: the longest of those that the swap falls into. */
  readonly swap: number;
  /** The longest of the others, while the scratch database and the log of its making take their share of the disk. */
  readonly otherwise: number;
  readonly usual: number;
  readonly writes: number;
  /** Writes that failed. */
  readonly failed: number;
}

interface Write {
  readonly at: number;
  readonly ok: boolean;
}

/** A client that writes every 20 ms, on a connection of its own each time, while a restore --online swaps the database. */
export async function measureGap(service: string): Promise<Gap> {
  sql(service, 'CREATE TABLE IF NOT EXISTS pings (at timestamptz DEFAULT clock_timestamp())');
  await time(`dokku pgbackup:run ${service}`);
  const write = `psql -X -q -w -h 127.0.0.1 -U postgres ${databaseOf(service)} -c 'INSERT INTO pings DEFAULT VALUES' 2>/dev/null`;
  const loop = `rm -f /tmp/stop; while [ ! -e /tmp/stop ]; do ${write} && echo ok $(date +%s%N) || echo failed $(date +%s%N); sleep 0.02; done`;
  const writing = time(`docker exec ${container(service)} bash -c ${quoted(loop)}`);
  const restore = await time(`dokku pgbackup:restore ${service} --latest --online --force`);
  await time('sleep 0.5');
  capture('docker', ['exec', container(service), 'touch', '/tmp/stop']);
  return evaluate(writesOf(await writing), moment(restore, 'Swapping the restored database in'), moment(restore, '=====> Restored'));
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function writesOf(writing: Timing): Write[] {
  return writing.output
    .split('\n')
    .filter(Boolean)
    .map((line) => ({ ok: line.startsWith('ok'), at: Number(line.split(' ')[1]) / 1e6 }));
}

/** When the restore said so. @throws Error, when it did not. */
function moment(restore: Timing, words: string): number {
  const found = restore.pieces.find(({ text }) => text.includes(words));
  if (!found) throw new Error(`the restore did not say "${words}":\n${restore.output}`);
  return found.at;
}

function evaluate(writes: readonly Write[], begun: number, ended: number): Gap {
  const moments = writes.filter(({ ok }) => ok).map(({ at }) => at);
  const waits = moments.slice(1).map((end, i) => ({ start: moments[i] ?? end, end, length: end - (moments[i] ?? end) }));
  const touched = ({ start, end }: { start: number; end: number }): boolean => end >= begun && start <= ended;
  const longest = (some: typeof waits): number => Math.max(0, ...some.map(({ length }) => length));
  return {
    swap: longest(waits.filter(touched)),
    otherwise: longest(waits.filter((wait) => !touched(wait))),
    usual: median(waits.map(({ length }) => length)),
    writes: moments.length,
    failed: writes.length - moments.length,
  };
}
