/**
 * Backup and restore beside what people use today, in one run: alternating, medians, ratios, peak memory.
 * `npm run bench -- --mb 1000 --runs 3`; writes latest.md and latest.json to bench/results.
 * Uses the dokku on PATH, and services of its own that it removes again.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureGap } from './gap.ts';
import { report, type Figures } from './report.ts';
import { alternate, capture, container, databaseOf, say, sql, time } from './run.ts';
import { measureStartup } from './startup.ts';

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

/** Text that compresses as rows of applications do, in tables with indexes; about the size asked for, on disk. */
function fill(service: string, mb: number): void {
  const rows = Math.round(mb * 3070);
  sql(
    service,
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

function destroyService(name: string): void {
  try {
    capture('dokku', ['--force', 'postgres:destroy', name]);
  } catch {
    // It was never made.
  }
}

function machine(): string {
  const docker = capture('docker', ['version', '--format', '{{.Server.Version}}']).trim();
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${cpus().length} × ${processor}, ${Math.round(totalmem() / 2 ** 30)} GiB, Docker ${docker}, PostgreSQL ${options.version}, Node ${process.version}`;
}

async function measure(service: string, small: string, peer: string, scratch: string): Promise<Figures> {
  const mb = Number(options.mb);
  const smallMb = Number(options['memory-mb']);
  const runs = Number(options.runs);
  say(`Making services of about ${mb} MB and ${smallMb} MB`);
  for (const name of [service, small, peer]) capture('dokku', ['postgres:create', name, '--image-version', options.version]);
  fill(service, mb);
  fill(small, smallMb);
  const inside = `docker exec ${container(service)}`;
  const dump = `-h 127.0.0.1 -U postgres ${databaseOf(service)}`;
  const raw =
    Number(options.version) >= 16
      ? `pg_dump -Fc --compress=zstd:3 ${dump} > /dev/null`
      : `pg_dump -Fc -Z0 ${dump} | zstd -q -3 > /dev/null`;
  say('Backups');
  const backups = await alternate(runs, {
    'pgbackup:run': () => time(`dokku pgbackup:run ${service}`),
    'raw limit': () => time(`${inside} bash -o pipefail -c '${raw}'`),
    ...(!options.ours && {
      'postgres:export > file': () => time(`dokku postgres:export ${service} > ${scratch}/export`),
      'postgres:export | gzip': () => time(`dokku postgres:export ${service} | gzip > ${scratch}/export.gz`),
    }),
  });
  say('Decoding alone');
  await time(`dokku pgbackup:download ${service} | docker exec -i ${container(service)} sh -c 'cat > /tmp/archive'`);
  const decode =
    Number(options.version) >= 16 ? 'pg_restore -f /dev/null /tmp/archive' : 'zstd -dcq /tmp/archive | pg_restore -f /dev/null';
  const decodes = (await alternate(runs, { decode: () => time(`${inside} bash -o pipefail -c '${decode}'`) }))['decode'] ?? [];
  say('Restores');
  capture('dokku', ['pgbackup:set', service, 'keep-previous', '1s']);
  const restores = await alternate(
    runs,
    {
      'pgbackup:restore': () => time(`dokku pgbackup:restore ${service} --latest --force`),
      ...(!options.ours && { 'postgres:import': () => time(`dokku postgres:import ${peer} < ${scratch}/export`) }),
    },
    // A backup drops the previous database of the restore before, as one a day later would: either way finds one database.
    () => time(`sleep 1 && dokku pgbackup:run ${service}`),
  );
  say('With little data');
  const smallBackup = await time(`dokku pgbackup:run ${small}`);
  const smallRestore = await time(`dokku pgbackup:restore ${small} --latest --force`);
  say('The start of each command');
  const startup = measureStartup(small, scratch);
  say('A client that writes during the swap');
  const smallGap = await measureGap(small);
  const gap = await measureGap(service);
  const bytes = Number(sql(service, 'SELECT pg_database_size(current_database())'));
  return { machine: machine(), mb, smallMb, runs, bytes, backups, decodes, restores, smallBackup, smallRestore, gap, smallGap, startup };
}

const service = `pgbench-${process.pid}`;
const names = [service, `${service}-s`, `${service}-import`] as const;
const scratch = join(tmpdir(), service);
mkdirSync(scratch, { recursive: true });
try {
  const figures = await measure(...names, scratch);
  const text = report(figures);
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'latest.md'), text);
  const json = JSON.stringify(figures, (key, value: unknown) => (key === 'output' || key === 'pieces' ? undefined : value), 1);
  writeFileSync(join(options.out, 'latest.json'), `${json}\n`);
  process.stdout.write(text);
} finally {
  for (const name of names) destroyService(name);
  rmSync(scratch, { recursive: true, force: true });
}
