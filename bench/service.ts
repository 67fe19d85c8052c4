/** Services with data in them, and where the figures of them go. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { capture, sql } from './run.ts';

/** @param mb about the size of the database on disk, in MB; undefined: nothing is put into it. */
export function createService(service: string, version: string, mb?: number): void {
  capture('dokku', ['postgres:create', service, '--image-version', version]);
  if (mb !== undefined) fill(service, mb);
}

/** Text that compresses as rows of applications do, in tables with indexes. */
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

export function destroyService(name: string): void {
  try {
    capture('dokku', ['--force', 'postgres:destroy', name]);
  } catch {
    // It was never made.
  }
}

/** @param version of PostgreSQL. */
export function machine(version: string): string {
  const docker = capture('docker', ['version', '--format', '{{.Server.Version}}']).trim();
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${cpus().length} × ${processor}, ${Math.round(totalmem() / 2 ** 30)} GiB, Docker ${docker}, PostgreSQL ${version}, Node ${process.version}`;
}

/** Writes latest.md and latest.json. */
export function writeResults(folder: string, text: string, figures: unknown): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'latest.md'), text);
  const json = JSON.stringify(figures, (key, value: unknown) => (key === 'output' || key === 'pieces' ? undefined : value), 1);
  writeFileSync(join(folder, 'latest.json'), `${json}\n`);
}
