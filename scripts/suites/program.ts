/** Runs the programs of the suites: their output goes through to the terminal, and what they started ends with us. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { write } from './lane.ts';

export const root = new URL('../..', import.meta.url).pathname;

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Hears every line of stdout. */
  readonly onLine?: (line: string) => void;
  /** Shown only when the program fails. */
  readonly quiet?: boolean;
  /** Also when all was told to stop: for what cleans up. */
  readonly always?: boolean;
}

const running = new Set<ChildProcess>();
let stopped = false;

/** Ends the programs that run now with all they started, and keeps others from starting. */
export function stopPrograms(): void {
  stopped = true;
  for (const { pid } of running) if (pid !== undefined) kill(-pid, 'SIGKILL');
}

/** A process or, negative, a group that is gone already is no error. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone
  }
}

/** Runs a program in a process group of its own, without standard input. @returns its exit code, 1 for a signal. */
export async function runProgram(command: readonly string[], options: ProgramOptions = {}): Promise<number> {
  const [file = '', ...args] = command;
  if (stopped && !options.always) return 1;
  const child = spawn(file, args, {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  running.add(child);
  const held: Buffer[] = [];
  const show = (chunk: Buffer): void => void (options.quiet ? held.push(chunk) : write(chunk));
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    show(chunk);
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) options.onLine?.(line);
  });
  child.stderr.on('data', (chunk: Buffer) => show(chunk));
  // `exit`, not `close`: a daemon that was left behind keeps our pipes open for ever.
  const ended = once(child, 'exit').catch((error: unknown) => {
    write(`${file}: ${String(error)}\n`);
  });
  await ended;
  // What it wrote last may still be on the way.
  await Promise.race([once(child, 'close').catch(() => {}), new Promise((resolve) => setTimeout(resolve, 500))]);
  child.stdout.destroy();
  child.stderr.destroy();
  running.delete(child);
  const code = child.exitCode ?? 1;
  if (code !== 0 && options.quiet) write(Buffer.concat(held));
  return code;
}
