/**
 * Backup and restore beside what people use today, in one run: alternating, medians, ratios, peak memory.
 * `npm run bench -- --mb 1000 --runs 3`; writes bench/results/latest.md and latest.json.
 * Uses the dokku on PATH, and services of its own that it removes again.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    mb: { type: 'string', default: '1000' },
    runs: { type: 'string', default: '3' },
    'memory-mb': { type: 'string', default: '10' },
    version: { type: 'string', default: '18' },
    // Without the peers: for sizes at which only memory and the swap are of interest.
    ours: { type: 'boolean', default: false },
    out: { type: 'string', default: 'bench/results' },
  },
});
const service = `pgbench-${process.pid}`;
const container = (name: string): string => `dokku.postgres.${name}`;
const scratch = join(tmpdir(), service);

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function capture(command: string, args: readonly string[], input?: string): string {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...(input === undefined ? {} : { input }) });
}

/** psql in the service's container, so that the host needs none. */
function sql(name: string, text: string): string {
  return capture(
    'docker',
    [
      'exec',
      '-i',
      container(name),
      'psql',
      '-X',
      '-q',
      '-A',
      '-t',
      '-v',
      'ON_ERROR_STOP=1',
      '-h',
      '127.0.0.1',
      '-U',
      'postgres',
      name.replaceAll('-', '_'),
    ],
    text,
  );
}

/** Peak resident bytes of the program itself: its node process, found by what it runs. */
function peakOfProgram(): number {
  let peak = 0;
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (!words[1]?.endsWith('pgbackup/subcommands/../bin/../dist/main.js') && !words[1]?.endsWith('/dist/main.js')) continue;
      const high = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
      peak = Math.max(peak, Number(high?.[1] ?? 0) * 1024);
    } catch {
      // It ended while it was looked at.
    }
  }
  return peak;
}

interface Timing {
  readonly seconds: number;
  readonly peak: number;
  readonly output: string;
}

/** Runs a shell line to its end. @throws Error, when it fails: a benchmark of a failure is none. */
function time(line: string): Promise<Timing> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn('bash', ['-o', 'pipefail', '-c', line], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let peak = 0;
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const watch = setInterval(() => (peak = Math.max(peak, peakOfProgram())), 25);
    child.on('close', (code) => {
      clearInterval(watch);
      if (code === 0) resolve({ seconds: (performance.now() - begun) / 1000, peak, output });
      else reject(new Error(`${line}: exit ${code}\n${output}`));
    });
  });
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

/** Text that compresses about fourfold, as rows of applications do, in tables with indexes; about the size asked for, on disk. */
function fill(name: string, mb: number): void {
  const rows = Math.round(mb * 2600);
  sql(
    name,
    `CREATE TABLE events (id bigint PRIMARY KEY, account int NOT NULL, kind text NOT NULL, at timestamptz NOT NULL, body jsonb NOT NULL, note text);
     INSERT INTO events SELECT g, (g::bigint * 7919 % 50000)::int, (ARRAY['order','login','refund','visit'])[1 + g % 4],
       timestamptz '2025-01-01' + g * interval '3 seconds',
       jsonb_build_object('sku', md5((g % 20000)::text), 'amount', g::bigint * 37 % 10000, 'tags', jsonb_build_array('a' || g % 10, 'b' || g % 100)),
       repeat('lorem ipsum dolor ' || g % 1000 || ' ', 4) FROM generate_series(1, ${rows}) g;
     CREATE INDEX ON events (account, at);
     CREATE TABLE accounts AS SELECT g AS id, md5(g::text) AS token, 'user' || g AS name FROM generate_series(1, ${Math.round(rows / 20)}) g;
     ALTER TABLE accounts ADD PRIMARY KEY (id);
     VACUUM ANALYZE;`,
  );
}

function createService(name: string): void {
  capture('dokku', ['postgres:create', name, '--image-version', options.version]);
}

function destroyService(name: string): void {
  try {
    capture('dokku', ['--force', 'postgres:destroy', name]);
  } catch {
    // It was never made.
  }
}

type Results = Record<string, Timing[]>;

/** One round of each in turn, so that a machine that slows down slows all of them. */
async function alternate(runs: number, ways: Readonly<Record<string, () => Promise<Timing>>>): Promise<Results> {
  const results: Results = {};
  for (let round = 0; round < runs; round += 1) {
    for (const [way, measure] of Object.entries(ways)) {
      const timing = await measure();
      (results[way] ??= []).push(timing);
      say(`  ${way}: ${timing.seconds.toFixed(2)} s`);
    }
  }
  return results;
}

async function main(): Promise<void> {
  const mb = Number(options.mb);
  const runs = Number(options.runs);
  const small = Number(options['memory-mb']);
  const names = [service, `${service}-s`, `${service}-import`];
  mkdirSync(scratch, { recursive: true });
  try {
    say(`Making services of about ${mb} MB and ${small} MB`);
    for (const name of names) createService(name);
    fill(service, mb);
    fill(`${service}-s`, small);
    const database = service.replaceAll('-', '_');
    const bytes = Number(sql(service, 'SELECT pg_database_size(current_database())'));
    const raw = `docker exec ${container(service)} sh -c 'exec pg_dump -Fc --compress=zstd:3 -h 127.0.0.1 -U postgres ${database} > /dev/null'`;
    const rawOld = `docker exec ${container(service)} bash -o pipefail -c 'pg_dump -Fc -Z0 -h 127.0.0.1 -U postgres ${database} | zstd -q -3 > /dev/null'`;
    say('Backups');
    await time(Number(options.version) >= 16 ? raw : rawOld);
    const backups = await alternate(runs, {
      'pgbackup:run': () => time(`dokku pgbackup:run ${service}`),
      'raw limit': () => time(Number(options.version) >= 16 ? raw : rawOld),
      ...(!options.ours && {
        'postgres:export > file': () => time(`dokku postgres:export ${service} > ${scratch}/export`),
        'postgres:export | gzip': () => time(`dokku postgres:export ${service} | gzip > ${scratch}/export.gz`),
      }),
    });
    say('Restores');
    const restores = await alternate(runs, {
      'pgbackup:restore': () => time(`dokku pgbackup:restore ${service} --latest --force`),
      ...(!options.ours && { 'postgres:import': () => time(`dokku postgres:import ${service}-import < ${scratch}/export`) }),
    });
    say('Memory with little data');
    const littleBackup = await time(`dokku pgbackup:run ${service}-s`);
    const littleRestore = await time(`dokku pgbackup:restore ${service}-s --latest --force`);
    say('A client that writes during the swap');
    const littleGap = await measureGap(`${service}-s`);
    const gap = await measureGap(service);
    write({ mb, runs, bytes, backups, restores, littleBackup, littleRestore, gap, littleGap });
  } finally {
    for (const name of names) destroyService(name);
    rmSync(scratch, { recursive: true, force: true });
  }
}

interface Gap {
  /** Milliseconds between two writes of the client that succeeded: the longest around the swap, and the usual. */
  readonly longest: number;
  readonly usual: number;
  readonly writes: number;
}

/** A client that writes every 20 ms on a connection of its own each time, while a restore --online swaps the database. */
async function measureGap(name: string): Promise<Gap> {
  const database = name.replaceAll('-', '_');
  sql(name, 'CREATE TABLE IF NOT EXISTS pings (at timestamptz DEFAULT clock_timestamp())');
  await time(`dokku pgbackup:run ${name}`);
  const loop = `rm -f /tmp/stop; while [ ! -e /tmp/stop ]; do psql -X -q -w -h 127.0.0.1 -U postgres ${database} -c 'INSERT INTO pings DEFAULT VALUES' 2>/dev/null && date +%s%N; sleep 0.02; done`;
  const writing = time(`docker exec ${container(name)} bash -c ${JSON.stringify(loop)}`);
  await time(`dokku pgbackup:restore ${name} --latest --online --force`);
  capture('docker', ['exec', container(name), 'touch', '/tmp/stop']);
  const moments = (await writing).output
    .split('\n')
    .filter(Boolean)
    .map((line) => Number(line) / 1e6);
  const gaps = moments.slice(1).map((moment, i) => moment - (moments[i] ?? moment));
  return { longest: Math.max(...gaps), usual: median(gaps), writes: moments.length };
}

interface Figures {
  readonly gap: Gap;
  readonly littleGap: Gap;
  readonly mb: number;
  readonly runs: number;
  readonly bytes: number;
  readonly backups: Results;
  readonly restores: Results;
  readonly littleBackup: Timing;
  readonly littleRestore: Timing;
}

function write(figures: Figures): void {
  const { backups, restores, bytes, runs } = figures;
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Docker ${capture('docker', ['version', '--format', '{{.Server.Version}}']).trim()}, PostgreSQL ${options.version}, Node ${process.version}`;
  const seconds = (results: Results, way: string): number => median((results[way] ?? []).map((timing) => timing.seconds));
  const peak = (results: Results, way: string): number => Math.max(...(results[way] ?? []).map((timing) => timing.peak));
  const megabytes = (value: number): string => `${Math.round(value / 1e6)} MB`;
  const table = (results: Results, ours: string): string[] => [
    `| | seconds, median (all) | ${ours} is … times that | peak memory |`,
    '| --- | --- | --- | --- |',
    ...Object.entries(results).map(([way, timings]) => {
      const memory = way === ours ? megabytes(peak(results, way)) : '';
      const all = timings.map((timing) => timing.seconds.toFixed(2)).join(', ');
      return `| ${way.replaceAll('|', '\\|')} | ${seconds(results, way).toFixed(2)} (${all}) | ${(seconds(results, ours) / seconds(results, way)).toFixed(2)} | ${memory} |`;
    }),
  ];
  const text = [
    '# Benchmark',
    '',
    `${megabytes(bytes)} of database, ${runs} alternating runs, ${new Date().toISOString().slice(0, 10)}. ${machine}.`,
    'Seconds are of that day and that machine; the ratios are what counts.',
    '',
    '## Backup (rows counted, decoded to its end and read back)',
    '',
    ...table(backups, 'pgbackup:run'),
    '',
    '## Restore (checked, rows compared, analyzed, swapped in)',
    '',
    ...table(restores, 'pgbackup:restore'),
    '',
    `Peak memory with ${figures.mb} MB and with ${options['memory-mb']} MB of data: backup ${megabytes(peak(backups, 'pgbackup:run'))} and ${megabytes(figures.littleBackup.peak)}, restore ${megabytes(peak(restores, 'pgbackup:restore'))} and ${megabytes(figures.littleRestore.peak)}.`,
    '',
    '## A client that writes every 20 ms while a restore --online swaps the database',
    '',
    '| | longest wait between two writes | usual | writes |',
    '| --- | --- | --- | --- |',
    ...(
      [
        [options['memory-mb'], figures.littleGap],
        [figures.mb, figures.gap],
      ] as const
    ).map(([size, gap]) => `| ${size} MB | ${Math.round(gap.longest)} ms | ${Math.round(gap.usual)} ms | ${gap.writes} |`),
    '',
  ].join('\n');
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'latest.md'), text);
  writeFileSync(
    join(options.out, 'latest.json'),
    `${JSON.stringify({ machine, ...figures }, (key, value: unknown) => (key === 'output' ? undefined : value), 1)}\n`,
  );
  process.stdout.write(text);
}

await main();
