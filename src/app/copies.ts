import { createHash } from 'node:crypto';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { StorageName } from '../domain/storage-name.ts';
import { formatManifest, type CopyState, type Manifest } from '../domain/manifest.ts';
import type { Ports, PutResult, Storage } from '../ports.ts';
import { abortable } from './abortable.ts';
import { fanOut } from './fan-out.ts';
import { mustDiffer } from './storages.ts';

/** Bytes and their SHA-256 (hex). */
export interface Stored {
  readonly bytes: number;
  readonly sha256: string;
}

/** Every name that an archive may have in its folder. */
const archiveFiles = ['archive.dump', 'archive.dump.zst', 'archive.dump.age', 'archive.dump.zst.age'];

interface Copy {
  readonly name: string;
  /** undefined: it could not even be opened. */
  readonly storage: Storage | undefined;
  failure?: unknown;
  /** The storage has compared checksums itself. */
  confirmed?: boolean;
  /** The storage would not take the archive at all: nothing is there to be removed. */
  untouched?: boolean;
}

type LiveCopy = Copy & { readonly storage: Storage };

/**
 * The copies of one backup that is being taken. A storage that fails is left behind, with what was written to it taken
 * back; the others go on. Only when the last one fails, the backup does, with that storage's own error.
 */
export class Copies {
  readonly #ports: Pick<Ports, 'reporter' | 'signal'>;
  readonly #copies: readonly Copy[];
  readonly #folder: string;

  /** @throws PgbackupError refused (two are the same place); not-found, storage, when none can be opened. */
  constructor(
    ports: Pick<Ports, 'reporter' | 'signal' | 'storages'>,
    names: readonly StorageName[],
    backupDir: string | undefined,
    folder: string,
  ) {
    mustDiffer(ports, names, backupDir);
    this.#ports = ports;
    this.#copies = names.map((name): Copy => {
      try {
        return { name, storage: ports.storages.open(name, backupDir) };
      } catch (failure) {
        return { name, storage: undefined, failure };
      }
    });
    this.#folder = folder;
    this.#mustGoOn();
    for (const { name, failure } of this.#copies) if (failure !== undefined) ports.reporter.warn(`${name}: ${messageOf(failure)}`);
  }

  /** Those that nothing has failed of. */
  get good(): readonly Storage[] {
    return this.#alive().map(({ storage }) => storage);
  }

  /** What became of each storage so far. */
  states(): CopyState[] {
    return this.#copies.map(({ name, failure }) => ({
      name,
      stored: failure === undefined,
      message: failure === undefined ? null : messageOf(failure),
    }));
  }

  /** Sends the archive to all. @throws PgbackupError storage, when none is left; whatever the body throws. */
  async store(file: string, body: AsyncIterable<Uint8Array>, expectedBytes: number): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#ports.signal, stop.signal]);
    const copies = this.#alive();
    let reading = copies.length;
    async function* shared(): AsyncGenerator<Uint8Array> {
      const chunks = body[Symbol.asyncIterator]();
      try {
        for (;;) {
          // A source that waits, as pg_dump does for a lock, is not waited for once nobody wants its bytes. (Not by a race
          // with one promise that lasts as long as the stream: it would hold on to every chunk.)
          const next = await abortable(stop.signal, chunks.next());
          if (next.done === true) return;
          yield next.value;
        }
      } finally {
        if (!stop.signal.aborted) await chunks.return?.();
      }
    }
    const settled = await fanOut<PutResult>(
      shared(),
      copies.map(({ storage }) => async (bytes) => {
        try {
          return await storage.put(this.#folder + file, bytes, { signal, expectedBytes });
        } catch (error) {
          reading -= 1;
          if (reading === 0) stop.abort(error);
          throw error;
        }
      }),
    );
    for (const [i, result] of settled.entries()) {
      const copy = copies[i];
      if (!copy) continue;
      if (result.status === 'fulfilled') {
        copy.confirmed = result.value.confirmed;
        continue;
      }
      copy.untouched = result.reason instanceof PgbackupError && result.reason.turnedAway;
      await this.#fail(copy, result.reason);
    }
    this.#ports.signal.throwIfAborted();
    this.#mustGoOn();
  }

  /** Shows that each holds what was sent to it. @throws PgbackupError verification, storage, when none does. */
  async prove(file: string, sent: Stored): Promise<void> {
    await Promise.all(
      this.#alive().map(async (copy) => {
        if (copy.confirmed === true) return;
        try {
          await readBack(copy.storage, this.#folder + file, sent, this.#ports.signal);
        } catch (error) {
          await this.#fail(copy, error);
        }
      }),
    );
    this.#ports.signal.throwIfAborted();
    this.#mustGoOn();
  }

  /**
   * Writes the manifest to all: from here on it is a backup. One that tells of a storage which then failed, too, is
   * written again. @throws PgbackupError storage, when none is left.
   */
  async publish(file: string, bytes: number, manifestWith: (states: readonly CopyState[]) => Manifest): Promise<Manifest> {
    for (;;) {
      const before = this.#alive().length;
      const manifest = manifestWith(this.states());
      const text = formatManifest(manifest);
      await Promise.all(
        this.#alive().map(async (copy) => {
          try {
            await copy.storage.put(`${this.#folder}manifest.json`, bytesOf(text));
            await mustLieBeside(copy.storage, this.#folder + file, bytes);
          } catch (error) {
            await this.#fail(copy, error);
          }
        }),
      );
      this.#mustGoOn();
      if (this.#alive().length === before) return manifest;
    }
  }

  /** Removes the archive alone, for another try. */
  async removeArchive(file: string): Promise<void> {
    for (const { storage } of this.#alive()) await storage.delete(this.#folder + file);
  }

  /** Removes all that was written, wherever. @throws PgbackupError storage. */
  async takeBack(): Promise<void> {
    const results = await Promise.allSettled(
      this.#copies.flatMap(({ storage, untouched }) => (storage && !untouched ? [removeBackup(storage, this.#folder)] : [])),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  #alive(): LiveCopy[] {
    return this.#copies.filter((copy): copy is LiveCopy => copy.failure === undefined && copy.storage !== undefined);
  }

  async #fail(copy: LiveCopy, error: unknown): Promise<void> {
    copy.failure = error;
    // Alone it is the failure of the backup, and told as such.
    if (this.#copies.length === 1 || this.#ports.signal.aborted) return;
    this.#ports.reporter.warn(`${copy.name}: ${messageOf(error)}`);
    if (error instanceof PgbackupError && error.hint !== undefined) this.#ports.reporter.warn(error.hint);
    if (!copy.untouched) await removeBackup(copy.storage, this.#folder).catch(() => {});
  }

  #mustGoOn(): void {
    if (this.#alive().length === 0) throw this.#copies.at(-1)?.failure;
  }
}

/**
 * The manifest first: what fails halfway here must not leave one without its archive. An upload that could not be ended
 * when it failed is no object yet, and has to be looked for. @throws PgbackupError storage.
 */
async function removeBackup(storage: Storage, folder: string): Promise<void> {
  for (const file of ['manifest.json', ...archiveFiles]) await storage.delete(folder + file);
  await storage.sweep(folder);
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** What lies behind a path can change: a disk that is unmounted meanwhile, a link that is turned. @throws PgbackupError storage. */
async function mustLieBeside(storage: Storage, archive: string, bytes: number): Promise<void> {
  // Keys that may only write cannot look; what cannot be asked is no loss.
  const here = storage.filePath(archive) !== undefined;
  const found = await storage.head(archive).catch((error: unknown) => (here ? Promise.reject(error) : 'unknown'));
  if (found === 'unknown' || (typeof found === 'object' && found.size === bytes)) return;
  throw new PgbackupError('storage', `The archive is no longer where its manifest is: ${storage.place}/${archive}`, {
    hint: `Was the disk of ${storage.place} mounted, unmounted or exchanged meanwhile? Then run the backup again`,
  });
}

/** Shows that what lies in a storage is what was sent to it. @throws PgbackupError verification, storage. */
export async function readBack(storage: Storage, key: string, sent: Stored, signal: AbortSignal): Promise<void> {
  const stored = await hashStored(storage, key, signal);
  if (stored.sha256 === sent.sha256 && stored.bytes === sent.bytes) return;
  throw new PgbackupError(
    'verification',
    `What ${storage.place} holds is not what was written to it (${stored.bytes} bytes of ${sent.bytes})`,
    { hint: 'Check the disk (dmesg, smartctl), then try again' },
  );
}

/** SHA-256 (hex) and size of a stored object, read back from the storage. @throws PgbackupError not-found, storage. */
export async function hashStored(storage: Storage, key: string, signal?: AbortSignal): Promise<Stored> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of (await storage.get(key, signal)) as AsyncIterable<Buffer>) {
    signal?.throwIfAborted();
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}
