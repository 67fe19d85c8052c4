import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, PgbackupError } from '../../domain/errors.ts';
import { parseManifest } from '../../domain/manifest.ts';
import type { InspectedSource, SqlReport } from '../../domain/source.ts';
import type { Encryption, Keyring, Origin, Sources, Spool, Spools } from '../../ports.ts';
import { decryptGpg } from '../crypto/gpg.ts';
import { filter } from '../process.ts';
import { inspectSource } from './inspect-source.ts';
import { type KeyText, readKeyFile } from './key-file.ts';
import { nameOf, openOrigin, openSource, sourceError } from './open-source.ts';
import { SqlGuard } from './sql-guard.ts';
import type { SourceDeps } from './unwrap.ts';

/** What opens sources with these keys; `spools` is where a keyring of gpg may be for the time being. */
export function sourceDeps(encryption: Pick<Encryption, 'decrypt'>, spools: Pick<Spools, 'open'>, keys: Keyring): SourceDeps {
  return {
    spawnFilter: filter,
    decrypt: (kind, input, name) => (kind === 'age' ? encryption.decrypt(keys, input, name) : decryptGpg(keys, input, name, spools)),
  };
}

/** @throws PgbackupError storage; what the stream itself says comes through unchanged. */
async function keepIn(path: string, bytes: Readable, what: string): Promise<string> {
  try {
    await pipeline(bytes, createWriteStream(path, { mode: 0o600 }));
  } catch (cause) {
    if (cause instanceof PgbackupError) throw cause;
    throw new PgbackupError('storage', `${what} could not be kept in ${dirname(path)}: ${messageOf(cause)}`, {
      cause,
      hint: 'Is there room on the disk of the data directory?',
    });
  }
  return path;
}

/** A pipe or a device may never end, and cannot be read a second time. */
function notAFile(path: string): PgbackupError {
  return new PgbackupError('refused', `${path} is not a file.`, {
    hint: `Hand its bytes in instead: dokku pgbackup:restore <target> - --confirm <target> < ${path}`,
  });
}

/** Files of this host, standard input, and what storages give. */
export class FileSources implements Sources {
  readonly #encryption: Pick<Encryption, 'decrypt'>;
  readonly #spools: Pick<Spools, 'open'>;
  /** What each source was opened with. Not part of what was found out about it, which is shown to people. */
  readonly #deps = new WeakMap<InspectedSource, SourceDeps>();

  constructor(encryption: Pick<Encryption, 'decrypt'>, spools: Pick<Spools, 'open'>) {
    this.#encryption = encryption;
    this.#spools = spools;
  }

  async inspect(origin: Origin, keys: Keyring): Promise<InspectedSource> {
    const deps = sourceDeps(this.#encryption, this.#spools, keys);
    const inspected = await inspectSource(origin, deps);
    this.#deps.set(inspected, deps);
    return inspected;
  }

  open(origin: Origin, inspected: InspectedSource, serverMajor: number): Readable {
    const dump = openSource(origin, inspected, this.#depsOf(inspected));
    return inspected.format === 'sql' ? dump.compose(new SqlGuard({ serverMajor })) : dump;
  }

  async inspectSql(origin: Origin, inspected: InspectedSource): Promise<SqlReport> {
    const guard = new SqlGuard({ serverMajor: Number.MAX_SAFE_INTEGER });
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    await pipeline(openSource(origin, inspected, this.#depsOf(inspected)), guard, nowhere);
    return guard.report();
  }

  #depsOf(inspected: InspectedSource): SourceDeps {
    const deps = this.#deps.get(inspected);
    if (!deps) throw new Error('A source is opened as it was inspected: with the very result of `inspect`');
    return deps;
  }

  async hash(origin: Origin): Promise<{ sha256: string; bytes: number }> {
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      if ('path' in origin) {
        const found = await stat(origin.path);
        if (!found.isFile() && !found.isDirectory()) throw notAFile(origin.path);
      }
      for await (const chunk of (await openOrigin(origin)) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        bytes += chunk.length;
      }
    } catch (error) {
      throw sourceError(error, nameOf(origin), []);
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
    return keepIn(join(spool.path, 'stdin'), process.stdin, 'Standard input');
  }

  async keep(bytes: Readable, spool: Spool, size: number): Promise<string> {
    const path = await keepIn(join(spool.path, 'fetched'), bytes, 'What was fetched');
    const kept = (await stat(path)).size;
    if (kept !== size) throw new PgbackupError('storage', `Of ${size} bytes only ${kept} came`, { hint: 'Try again' });
    return path;
  }

  readKeyFile(path: string): Promise<KeyText> {
    return readKeyFile(path);
  }
}
