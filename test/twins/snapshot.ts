import { createHash } from 'node:crypto';
import type { Dump, DumpRequest, Shares, RestoreOptions, RowCounts, Snapshot } from '../../src/ports.ts';
import { type Content, dumpBytes, type TwinDatabase } from './content.ts';
import type { Connection, Faults } from './faults.ts';

/** The servers of all services: databases by name, as long as the world lives. */
export type Clusters = Map<string, Map<string, TwinDatabase>>;

/** What outlives a process that was killed. */
export interface PostgresState {
  readonly clusters: Clusters;
  /** Operations whose sidecars run. */
  readonly sidecars: Set<string>;
  readonly major: number;
  /** How every archive was restored. */
  readonly restored: RestoreOptions[];
  /** What every dump was asked for. */
  readonly dumped: DumpRequest[];
  /** What sidecars were granted, of those that did not get all. */
  readonly shares: Shares[];
  /** Tables to be rewritten during the dumps to come, the last one first. */
  readonly rewritten: string[][];
}

/** A database as it was when the snapshot was taken. */
export class TwinSnapshot implements Snapshot {
  readonly #content: Content;
  readonly #database: TwinDatabase;
  readonly #faults: Faults;
  readonly #connection: Connection;
  readonly #state: PostgresState;

  constructor(database: TwinDatabase, state: PostgresState, faults: Faults, connection: Connection) {
    this.#state = state;
    this.#content = database.content;
    this.#database = database;
    this.#faults = faults;
    this.#connection = connection;
  }

  async facts(): ReturnType<Snapshot['facts']> {
    return this.#call('snapshot.facts', () => ({
      database: this.#database.properties,
      bytes: 8_000_000,
      extensions: this.#content.extensions.map((name) => ({ name, version: '1.0', schema: 'pg_catalog' })),
      roles: ['postgres'],
      schemas: [...new Set(['public', ...this.#content.tables.map((table) => table.schema)])].toSorted(),
      largeObjects: 0,
    }));
  }

  async countRows(schemas: readonly string[]): Promise<RowCounts> {
    return this.#call('snapshot.countRows', () => this.#tables(schemas));
  }

  async dump(request: DumpRequest): Promise<Dump> {
    const bytes = dumpBytes({ ...this.#content, tables: this.#tables(request.schemas) });
    const call = (name: string): Promise<void> => this.#call(name, () => {});
    const half = Math.floor(bytes.length / 2);
    this.#state.dumped.push(request);
    return this.#call('snapshot.dump', () => ({
      file: 'archive.dump',
      compression: `zstd:${request.compressionLevel}`,
      wrapping: null,
      bytes: (async function* () {
        await call('dump, its first bytes');
        yield bytes.subarray(0, half);
        await call('dump, midway');
        yield bytes.subarray(half);
        // As the real one: the end is withheld until pg_dump and pg_restore are known to have succeeded.
        await call('dump, its end');
      })(),
      plain: () => ({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }),
    }));
  }

  async rewrittenTables(): Promise<readonly string[]> {
    return this.#call('snapshot.rewrittenTables', () => this.#state.rewritten.pop() ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #tables(schemas: readonly string[]): RowCounts {
    return this.#content.tables.filter((table) => schemas.length === 0 || schemas.includes(table.schema));
  }

  #call<T>(name: string, action: () => T): Promise<T> {
    return this.#faults.call(name, action, undefined, this.#connection);
  }
}
