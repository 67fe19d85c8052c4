import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, PgbackupError } from '../../domain/errors.ts';
import { parseManifest } from '../../domain/manifest.ts';
import type { InspectedSource, SqlReport } from '../../domain/source.ts';
import type { Sources, Spool } from '../../ports.ts';
import { filter } from '../process.ts';
import { inspectSource } from './inspect-source.ts';
import { openSource, sourceError } from './open-source.ts';
import { SqlGuard } from './sql-guard.ts';
import type { SourceDeps } from './unwrap.ts';

const deps: SourceDeps = { spawnFilter: filter };

/** A pipe or a device may never end, and cannot be read a second time. */
function notAFile(path: string): PgbackupError {
  return new PgbackupError('refused', `${path} is not a file.`, {
    hint: `Hand its bytes in instead: dokku pgbackup:restore <target> - --confirm <target> < ${path}`,
  });
}

/** Files of this host, and standard input. */
export class FileSources implements Sources {
  async inspect(path: string): Promise<InspectedSource> {
    return inspectSource(path, deps);
  }

  open(path: string, inspected: InspectedSource, serverMajor: number): Readable {
    const dump = openSource(path, inspected, deps);
    return inspected.format === 'sql' ? dump.compose(new SqlGuard({ serverMajor })) : dump;
  }

  async inspectSql(path: string, inspected: InspectedSource): Promise<SqlReport> {
    const guard = new SqlGuard({ serverMajor: Number.MAX_SAFE_INTEGER });
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    await pipeline(openSource(path, inspected, deps), guard, nowhere);
    return guard.report();
  }

  async hash(path: string): Promise<{ sha256: string; bytes: number }> {
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      const found = await stat(path);
      if (!found.isFile() && !found.isDirectory()) throw notAFile(path);
      for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        bytes += chunk.length;
      }
    } catch (error) {
      throw sourceError(error, path, []);
    }
    return { sha256: hash.digest('hex'), bytes };
  }

  async checksumBeside(path: string): Promise<string | undefined> {
    try {
      const { archive } = parseManifest(await readFile(join(dirname(path), 'manifest.json'), 'utf8'), 'beside it');
      return archive.file === basename(path) ? archive.storedSha256 : undefined;
    } catch {
      return undefined;
    }
  }

  async keepStdin(spool: Spool): Promise<string> {
    if (process.stdin.isTTY)
      throw new PgbackupError('usage', 'Standard input is a terminal', {
        hint: 'Send a file to it: dokku pgbackup:restore <target> - < dump.sql.gz',
      });
    const path = join(spool.path, 'stdin');
    try {
      await pipeline(process.stdin, createWriteStream(path, { mode: 0o600 }));
    } catch (cause) {
      throw new PgbackupError('storage', `Standard input could not be kept in ${spool.path}: ${messageOf(cause)}`, {
        cause,
        hint: 'Is there room on the disk of the data directory?',
      });
    }
    return path;
  }
}
