/**
 * Backup and restore beside what people use today, in one run: alternating, medians, ratios, peak memory.
 * `npm run bench -- --mb 1000 --runs 3`; writes latest.md and latest.json to bench/results.
 * Uses the dokku on PATH, and services of its own that it removes again.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureGap } from './gap.ts';
import { report, type Figures } from './report.ts';
import { alternate, capture, container, databaseOf, say, sql, time } from './run.ts';
import { createService, destroyService, machine, writeResults } from './service.ts';
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

async function measure(service: string, small: string, peer: string, scratch: string): Promise<Figures> {
  const mb = Number(options.mb);
  const smallMb = Number(options['memory-mb']);
  const runs = Number(options.runs);
  say(`Making services of about ${mb} MB and ${smallMb} MB`);
  createService(service, options.version, mb);
  createService(small, options.version, smallMb);
  createService(peer, options.version);
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
  return {
    machine: machine(options.version),
    mb,
    smallMb,
    runs,
    bytes,
    backups,
    decodes,
    restores,
    smallBackup,
    smallRestore,
    gap,
    smallGap,
    startup,
  };
}

const service = `pgbench-${process.pid}`;
const names = [service, `${service}-s`, `${service}-import`] as const;
const scratch = join(tmpdir(), service);
mkdirSync(scratch, { recursive: true });
try {
  const figures = await measure(...names, scratch);
  const text = report(figures);
  writeResults(options.out, text, figures);
  process.stdout.write(text);
} finally {
  for (const name of names) destroyService(name);
  rmSync(scratch, { recursive: true, force: true });
}
