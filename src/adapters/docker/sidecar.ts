import { setTimeout as sleep } from 'node:timers/promises';
import { PgbackupError } from '../../domain/errors.ts';
import type { Shares } from '../../ports.ts';
import { onLine } from '../lines.ts';
import { start, type Child } from '../process.ts';
import { docker, dockerProgram } from './docker.ts';

/** What a sidecar is started with. */
export interface SidecarOptions {
  readonly image: string;
  /** Operation that it belongs to; a later command finds it by this. */
  readonly operation: string;
  /** Container whose network it shares; undefined: no network at all. */
  readonly networkOf: string | undefined;
  /** What it may have of a machine that others want to use, too; undefined: as much as anybody. */
  readonly shares?: Shares | undefined;
  /** Bind mounts: host path, path inside, writable. */
  readonly mounts: readonly { readonly host: string; readonly inside: string; readonly writable: boolean }[];
  /** Environment; only the names are given as arguments, the values go through docker's own environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** A program running inside a sidecar. */
export interface Exec extends Child {
  /** @throws PgbackupError of the given code, with what the program wrote to stderr, unless it exited 0. */
  ok(code: 'postgres' | 'damaged' | 'verification', what: string): Promise<void>;
}

/**
 * A container of the service's own image beside the service: every tool in it matches the server, and
 * killing it kills whatever runs in it. Its first process reads our pipe and ends with it, so that the
 * sidecar is gone moments after this process is, however this process died.
 */
export class Sidecar implements AsyncDisposable {
  readonly name: string;
  readonly #holder: Child;
  #closing: Promise<void> | undefined;

  private constructor(name: string, holder: Child) {
    this.name = name;
    this.#holder = holder;
  }

  /** @throws PgbackupError docker. */
  static async open(options: SidecarOptions): Promise<Sidecar> {
    if (options.shares === undefined) return Sidecar.#start(options);
    try {
      return await Sidecar.#start(options);
    } catch {
      // A kernel without the controller refuses the weight (cgroup v2: no io.weight). To give way is a courtesy, a backup is not.
      await removeSidecars(options.operation);
      return Sidecar.#start({ ...options, shares: undefined });
    }
  }

  static async #start(options: SidecarOptions): Promise<Sidecar> {
    // It may come from a manifest, and docker must take it for no option.
    if (!/^[a-z0-9][\w.:/@-]*$/i.test(options.image)) throw new PgbackupError('docker', `"${options.image}" is no name of an image`);
    const name = `pgbackup-${options.operation}`;
    const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
    const args = [
      // Never fetched: the image is the service's own, and a name out of a manifest must not bring another.
      ...[
        'run',
        '--pull',
        'never',
        '--rm',
        '-i',
        '--log-driver',
        'none',
        '--name',
        name,
        '--label',
        `pgbackup.operation=${options.operation}`,
      ],
      ...['--network', options.networkOf === undefined ? 'none' : `container:${options.networkOf}`],
      ...['--user', user, '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--tmpfs', '/tmp:size=64m'],
      ...shareFlags(options.shares),
      ...options.mounts.flatMap((m) => ['--mount', bindMount(m)]),
      ...Object.keys(options.env).flatMap((key) => ['-e', key]),
      ...['--entrypoint', 'sh', options.image, '-c', 'echo ready; exec cat >/dev/null'],
    ];
    const holder = await start(dockerProgram(), args, { env: options.env });
    const ready = new Promise<undefined>((resolve) => onLine(holder.stdout, () => resolve(undefined)));
    const failure = await Promise.race([ready, holder.done]);
    if (failure) {
      throw new PgbackupError(
        'docker',
        `The sidecar container ${name} did not start: ${failure.stderr.trim() || `exit ${failure.exitCode}`}`,
        {
          hint: 'See that docker works for user dokku: sudo -u dokku docker ps',
        },
      );
    }
    return new Sidecar(name, holder);
  }

  /** Starts a program in the sidecar, without a shell. */
  async exec(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Exec> {
    const names = Object.keys(env).flatMap((key) => ['-e', key]);
    const child = await start(dockerProgram(), ['exec', '-i', ...names, this.name, ...command], { env });
    return {
      ...child,
      ok: async (code, what) => {
        const { exitCode, stderr } = await child.done;
        if (exitCode !== 0) throw new PgbackupError(code, `${what}: ${tidy(stderr) || `exit ${exitCode ?? 'by a signal'}`}`);
      },
    };
  }

  /** Runs a program and returns what it wrote to stdout. @throws PgbackupError postgres. */
  async output(command: readonly string[], what: string): Promise<string> {
    const child = await this.exec(command);
    child.stdin.end();
    const chunks = await child.stdout.toArray();
    await child.ok('postgres', what);
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Ends the sidecar and everything in it. Further calls wait for the same end. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#holder.stdin.end();
    // Its first process ends with the pipe, but not before docker has noticed: asking is faster.
    await docker(['kill', this.name]).catch(() => {});
    await this.#holder.done.catch(() => {});
  }
}

/** Kills the sidecars of an operation whose process is gone, and sees them gone. @throws PgbackupError docker. */
export async function removeSidecars(operation: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const found = await docker(['ps', '-aq', '--filter', `label=pgbackup.operation=${operation}`]);
    const ids = found.stdout.split('\n').filter(Boolean);
    if (ids.length === 0) return;
    if (attempt === 50)
      throw new PgbackupError('docker', `The sidecar of ${operation} cannot be removed`, { hint: `Try: docker rm -f ${ids.join(' ')}` });
    // One that is going away by itself cannot be removed a second time; that is no failure.
    await docker(['rm', '-f', ...ids]).catch(() => sleep(200));
  }
}

function shareFlags(shares: Shares | undefined): string[] {
  if (shares === undefined) return [];
  return ['--cpu-shares', String(shares.cpu), ...(shares.io === undefined ? [] : ['--blkio-weight', String(shares.io)])];
}

/** Docker reads the value of --mount as a line of CSV: quoted, a path may hold commas, colons and quotes. */
function bindMount(mount: SidecarOptions['mounts'][number]): string {
  const fields = ['type=bind', `source=${mount.host}`, `target=${mount.inside}`, ...(mount.writable ? [] : ['readonly'])];
  return fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(',');
}

const longestLine = 500;

/** The last lines that a tool wrote to stderr, without what repeats its own name on each. */
function tidy(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  // pg_dump quotes its query, which may name every table there is.
  const shorter = (line: string): string => (line.length > longestLine ? `${line.slice(0, longestLine)}…` : line);
  return lines.slice(-6).map(shorter).join('\n').trim();
}
