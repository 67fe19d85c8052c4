/** Child processes: the only file that starts any. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { PgbackupError } from '../domain/errors.ts';

export interface RunOptions {
  /** Added to this process's environment. Secrets go here and never into the arguments, which `ps` shows. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** undefined when a signal ended the child. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A child with its three streams; `done` never rejects because of an exit code. */
export interface Child {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly done: Promise<RunResult>;
  kill(): void;
}

/**
 * Where children start. Not where this process did: as user dokku it may stand in a directory that it cannot enter
 * (root types the command in /root), or that is gone, and a child could then not be started there.
 */
const cwd = '/';

const outputLimit = 64 * 1024 * 1024;

function spawnFailure(command: string, cause: unknown): PgbackupError {
  return new PgbackupError('dokku', `Cannot run ${command}`, { cause, hint: `Is ${command} installed, and on the PATH of user dokku?` });
}

/** Whether an error is that of a program which is not there. */
export function isNoProgram(error: unknown): boolean {
  return error instanceof PgbackupError && error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'ENOENT';
}

/**
 * Runs a command to its end and keeps its output (at most 64 MiB).
 * @throws PgbackupError dokku, when it cannot be started. An exit code other than 0 is a result, not an error.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { execa } = await import('execa');
  const result = await execa(command, args, {
    cwd,
    reject: false,
    // As in `start`: a second Ctrl-C must not kill the very commands that take things back after the first.
    detached: true,
    stripFinalNewline: false,
    maxBuffer: outputLimit,
    ...(options.env && { env: options.env }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.signal && { cancelSignal: options.signal }),
  });
  if (result.code === 'ENOENT' || result.code === 'EACCES') throw spawnFailure(command, result.cause);
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}

/**
 * Runs a command that gets an open file of ours as its descriptor 3, and keeps what it writes to stderr. (Not by
 * execa, whose types know no such descriptor.)
 * @throws PgbackupError dokku, when it cannot be started.
 */
export async function runWithFile(
  command: string,
  args: readonly string[],
  descriptor: number,
  env: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<RunResult> {
  const child = spawn(command, args, {
    cwd,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted === true) stop();
  const stderr = child.stderr?.setEncoding('utf8').toArray();
  await once(child, 'close').catch((cause: unknown) => {
    throw spawnFailure(command, cause);
  });
  signal?.removeEventListener('abort', stop);
  return { exitCode: child.exitCode ?? undefined, stdout: '', stderr: (await stderr)?.join('') ?? '' };
}

/**
 * Starts a command with pipes. It gets a process group of its own: Ctrl-C at the terminal must reach this
 * program alone, which then ends its children in the right order.
 */
export async function start(command: string, args: readonly string[], options: Omit<RunOptions, 'input'> = {}): Promise<Child> {
  const { execa } = await import('execa');
  const child = execa(command, args, {
    cwd,
    reject: false,
    detached: true,
    stdin: 'pipe',
    buffer: { stdout: false, stderr: true },
    stripFinalNewline: false,
    maxBuffer: { stderr: outputLimit },
    ...(options.env && { env: options.env }),
  });
  // A child that goes away closes its input; that it went is told by `done`.
  child.stdin.on('error', () => {});
  const done = child.then((result): RunResult => {
    if (result.code === 'ENOENT' || result.code === 'EACCES') throw spawnFailure(command, result.cause);
    return { exitCode: result.exitCode, stdout: '', stderr: result.stderr };
  });
  done.catch(() => {});
  return { stdin: child.stdin, stdout: child.stdout, done, kill: () => void child.kill('SIGKILL') };
}

/** The output of a filter program fed with a stream; its failure is an error of the stream, never a quiet end. */
export function filter(command: string, args: readonly string[], input: Readable, signal?: AbortSignal): Readable {
  return Duplex.from(async function* () {
    const { execa } = await import('execa');
    const child = execa(command, args, {
      cwd,
      input,
      buffer: { stdout: false },
      ...(signal && { cancelSignal: signal }),
    });
    yield* child.iterable({ binary: true });
  });
}

/** A child that reads a secret from its descriptor 3 and reports on its descriptor 4. */
export interface ConfidedChild extends Child {
  /** What came on descriptor 4, once the child is gone. */
  readonly report: Promise<string>;
}

/**
 * Starts a program that is told a secret by neither its arguments, which `ps` shows, nor its environment, which its
 * own children inherit. (Not by execa, whose types know no such descriptors.) `done` rejects with PgbackupError dokku
 * when the program cannot be started; the cause has the code ENOENT when there is none.
 */
export function startWithSecret(
  command: string,
  args: readonly string[],
  secret: string,
  env: Readonly<Record<string, string>> = {},
): ConfidedChild {
  const child = spawn(command, args, {
    cwd,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  const [stdin, stdout, stderr, confided, report] = child.stdio;
  if (!stdin || !stdout || !stderr || !(confided instanceof Duplex) || !(report instanceof Duplex)) {
    throw new Error(`${command} was started without its five streams`);
  }
  // One that goes away early closes them; that it went is told by `done`.
  for (const stream of [stdin, confided, stderr, report]) stream.on('error', () => {});
  confided.end(secret);
  const [said, reported] = [stderr, report].map(async (stream) => Buffer.concat(await stream.toArray()).toString('utf8'));
  const done = (async (): Promise<RunResult> => {
    await once(child, 'close').catch((cause: unknown) => {
      throw spawnFailure(command, cause);
    });
    return { exitCode: child.exitCode ?? undefined, stdout: '', stderr: (await said) ?? '' };
  })();
  done.catch(() => {});
  return { stdin, stdout, done, report: reported ?? Promise.resolve(''), kill: () => void child.kill('SIGKILL') };
}
