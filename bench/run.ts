/** Commands, their time and their memory. */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export const container = (service: string): string => `dokku.postgres.${service}`;
export const databaseOf = (service: string): string => service.replaceAll('-', '_');

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** What the command writes to stdout. @throws Error, when it fails. */
export function capture(command: string, args: readonly string[], input?: string): string {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...(input === undefined ? {} : { input }) });
}

/** psql in the service's container, so that the host needs none. */
export function sql(service: string, text: string): string {
  const psql = ['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-U', 'postgres', databaseOf(service)];
  return capture('docker', ['exec', '-i', container(service), ...psql], text);
}

interface Use {
  /** Peak resident bytes. */
  readonly peak: number;
  /** Bytes written to files on a disk. */
  readonly written: number;
}

/** What the program itself has used so far: its node process, found by what it runs, which the line says. */
function useOfProgram(line: string): Use {
  let [peak, written] = [0, 0];
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const [, script, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (!script?.endsWith('/dist/main.js') || !args.every((arg) => line.includes(arg))) continue;
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024);
      written = Math.max(written, Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0));
    } catch {
      // It ended while it was looked at.
    }
  }
  return { peak, written };
}

/** One run of a command. */
export interface Timing extends Use {
  readonly seconds: number;
  readonly output: string;
  /** When each piece of the output came, in milliseconds since 1970. */
  readonly pieces: readonly { readonly at: number; readonly text: string }[];
}

/** Runs a shell line to its end. @throws Error, when it fails: a benchmark of a failure is none. */
export function time(line: string): Promise<Timing> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn('bash', ['-o', 'pipefail', '-c', line], { stdio: ['ignore', 'pipe', 'pipe'] });
    const pieces: { at: number; text: string }[] = [];
    let [peak, written] = [0, 0];
    const take = (chunk: Buffer): void => void pieces.push({ at: Date.now(), text: chunk.toString() });
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const watch = setInterval(() => {
      const use = useOfProgram(line);
      [peak, written] = [Math.max(peak, use.peak), Math.max(written, use.written)];
    }, 25);
    child.on('close', (code) => {
      clearInterval(watch);
      const output = pieces.map(({ text }) => text).join('');
      if (code === 0) resolve({ seconds: (performance.now() - begun) / 1000, peak, written, output, pieces });
      else reject(new Error(`${line}: exit ${code}\n${output}`));
    });
  });
}

/** The lower of the two in the middle, of an even number. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

export type Results<T extends Timing = Timing> = Record<string, T[]>;

/**
 * One round of each in turn, so that a machine that slows down slows all of them. A first round, which finds
 * cold caches and makes files anew that later ones use again, is run and not counted.
 * @param before run before each round, and not timed.
 */
export async function alternate<T extends Timing>(
  runs: number,
  ways: Readonly<Record<string, () => Promise<T>>>,
  before: () => Promise<unknown> = async () => {},
): Promise<Results<T>> {
  const results: Results<T> = {};
  for (let round = 0; round <= runs; round += 1) {
    await before();
    for (const [way, measure] of Object.entries(ways)) {
      // Nobody pays for what another has left to be written.
      capture('sync', []);
      const timing = await measure();
      if (round > 0) (results[way] ??= []).push(timing);
      say(`  ${way}: ${timing.seconds.toFixed(2)} s${round === 0 ? ' (not counted)' : ''}`);
    }
  }
  return results;
}
