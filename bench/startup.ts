/** What each command costs before it does anything. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { capture, median } from './run.ts';

/** Medians, in milliseconds. */
export interface Startup {
  /** `node -e 0`. */
  readonly node: number;
  /** `pgbackup:list` on 1,000 backups, from the shim on. */
  readonly list: number;
  /** `pgbackup:help`, likewise. */
  readonly help: number;
  /** What this plugin adds to `dokku help`. */
  readonly dokkuHelp: number;
}

const plugin = resolve(import.meta.dirname, '..');
const rounds = 21;

/** @param service one with a backup, whose manifest is multiplied. */
export function measureStartup(service: string, scratch: string): Startup {
  const root = join(scratch, 'thousand');
  writeBackups(service, join(root, 'data/pgbackup'));
  const env = { ...process.env, DOKKU_LIB_ROOT: root, PGBACKUP_NODE: process.execPath };
  const commands: Record<keyof Startup, readonly [string, ...string[]]> = {
    node: [process.execPath, '-e', '0'],
    list: [join(plugin, 'subcommands/list'), 'pgbackup:list'],
    help: [join(plugin, 'commands'), 'pgbackup:help'],
    dokkuHelp: [join(plugin, 'commands'), 'help'],
  };
  const times = { node: [], list: [], help: [], dokkuHelp: [] } as Record<keyof Startup, number[]>;
  // In turn, as everywhere: a machine that slows down slows all of them. The first fills the compile cache.
  for (let round = 0; round <= rounds; round += 1) {
    for (const what of ['node', 'list', 'help', 'dokkuHelp'] as const) {
      const [command, ...args] = commands[what];
      const begun = performance.now();
      const ended = spawnSync(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 });
      if (ended.status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${ended.status ?? 'by a signal'}`);
      if (round > 0) times[what].push(performance.now() - begun);
    }
  }
  rmSync(root, { recursive: true });
  return { node: median(times.node), list: median(times.list), help: median(times.help), dokkuHelp: median(times.dokkuHelp) };
}

interface Listed {
  readonly id: string;
  readonly host: string;
  readonly startedAt: string;
}

/** A thousand backups, six hours apart. */
function writeBackups(service: string, data: string): void {
  const manifest = (JSON.parse(capture('dokku', ['pgbackup:list', service, '--format', 'json'])) as Listed[]).at(-1);
  if (!manifest) throw new Error(`${service} has no backup`);
  mkdirSync(join(data, 'cache'), { recursive: true });
  for (let i = 0; i < 1000; i += 1) {
    const startedAt = new Date(Date.UTC(2026, 0, 1) + i * 6 * 3_600_000).toISOString();
    const id = `${service}-${startedAt.slice(0, 19).replaceAll(/[-:]/g, '')}Z-k3f9`;
    const folder = join(data, 'backups', manifest.host, service, id);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, id, startedAt }, undefined, 1));
    writeFileSync(join(folder, 'archive.dump'), '');
  }
}
