/** What a client that writes all the time sees of a restore. */
import { capture, container, databaseOf, median, sql, time, type Timing } from './run.ts';

export interface Gap {
  /** Milliseconds between two writes that succeeded: the longest of those that the swap falls into. */
  readonly swap: number;
  /** The longest of the others, while the scratch database and the log of its making take their share of the disk. */
  readonly otherwise: number;
  readonly usual: number;
  readonly writes: number;
  /** Connections that were ended or refused. */
  readonly failed: number;
}

interface Write {
  readonly at: number;
  readonly ok: boolean;
}

/** A client that writes every 20 ms, and comes back at once when it is cut off, while a restore --online swaps the database. */
export async function measureGap(service: string): Promise<Gap> {
  sql(service, 'DROP TABLE IF EXISTS pings; CREATE TABLE pings (at timestamptz)');
  await time(`dokku pgbackup:run ${service}`);
  const write = 'INSERT INTO pings VALUES (clock_timestamp()) RETURNING extract(epoch FROM at)';
  const psql = `psql -X -q -A -t -w -h 127.0.0.1 -U postgres ${databaseOf(service)} 2>/dev/null`;
  const loop = `rm -f /tmp/stop; while [ ! -e /tmp/stop ]; do printf '%s\\n' '${write}' '\\watch 0.02' | ${psql}; [ -e /tmp/stop ] || echo failed $(date +%s.%N); done`;
  const writing = time(`docker exec ${container(service)} bash -c ${quoted(loop)}`);
  const restore = await time(`dokku pgbackup:restore ${service} --latest --online --force`);
  await time('sleep 0.5');
  capture('docker', ['exec', container(service), 'touch', '/tmp/stop']);
  sql(service, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO pings%'");
  return evaluate(writesOf(await writing), moment(restore, 'Swapping the restored database in'), moment(restore, '=====> Restored'));
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function writesOf(writing: Timing): Write[] {
  return writing.output
    .split('\n')
    .filter((line) => /^(failed )?[0-9.]+$/.test(line))
    .map((line) => ({ ok: !line.startsWith('failed'), at: Number(line.replace('failed ', '')) * 1000 }));
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
