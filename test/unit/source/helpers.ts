import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { onTestFinished } from 'vitest';

import { AgeEncryption } from '../../../src/adapters/crypto/age.ts';
import { sourceDeps } from '../../../src/adapters/source/sources.ts';
import { FolderSpools } from '../../../src/adapters/spool.ts';
import { noKeys } from '../../../src/app/keys.ts';
import { SqlFilter } from '../../../src/adapters/source/sql-filter.ts';
import type { SourceDeps } from '../../../src/adapters/source/unwrap.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import type { SqlReport } from '../../../src/domain/source.ts';
import type { Keyring } from '../../../src/ports.ts';

/** The real thing: xz, bzip2 and gpg are programs of this machine. */
export function depsWith(keys: Keyring): SourceDeps {
  return sourceDeps(new AgeEncryption(), new FolderSpools(join(tmpdir(), `pgbackup-spool-${process.pid}`)), keys);
}

export const deps = depsWith(noKeys);

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
}

export function dump(name: string): Buffer {
  return readFileSync(fixture(`dumps/${name}`));
}

/** A file of these bytes that is gone after the test. */
export function fileOf(bytes: Uint8Array | string, name = 'source'): string {
  const directory = mkdtempSync(join(tmpdir(), 'pgbackup-source-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

/** The error a promise or function ends in; fails where it does not end in a `PgbackupError`. */
export async function failure(action: () => unknown): Promise<PgbackupError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof PgbackupError) return error;
    throw error;
  }
  throw new Error('It did not fail.');
}

export interface Guarded {
  readonly text: string;
  readonly report: SqlReport;
}

/** Runs SQL through the rules, cut at these offsets. */
export function guard(sql: string | Buffer, { major = 18, cuts = [] as readonly number[] } = {}): Guarded {
  const bytes = Buffer.from(sql);
  const filtered = new SqlFilter(major);
  const out: Buffer[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    out.push(...filtered.write(Buffer.from(bytes.subarray(from, end)), false));
    from = end;
  }
  out.push(...filtered.write(Buffer.alloc(0), true));
  return { text: Buffer.concat(out).toString('latin1'), report: filtered.report() };
}

/** The text of a dump as `guard` gives it back. */
export function latin1(sql: string | Buffer): string {
  return Buffer.from(sql).toString('latin1');
}
