import { PgbackupError } from '../../src/domain/errors.ts';
import type { DatabaseProperties } from '../../src/domain/manifest.ts';
import type {
  ArchiveContents,
  DatabaseSummary,
  PostgresServer,
  RestoreInput,
  RestoreOptions,
  RowCounts,
  Snapshot,
  SwapBlockers,
} from '../../src/ports.ts';
import { type Content, databaseOf, empty, readDump, type TwinDatabase } from './content.ts';
import type { Connection, Faults } from './faults.ts';
import { type PostgresState, TwinSnapshot } from './snapshot.ts';

/** Answers of `scalar` by query; undefined: no row. */
const answers: Readonly<Record<string, (content: Content) => string | null | undefined>> = {
  'select title': (content) => content.title,
  'select count(*) from users': (content) => content.tables.find((table) => table.table === 'users')?.rows.toString(),
  'select false': () => 'f',
  'select null': () => null,
  'select 1 where false': () => undefined,
};

/** A Postgres server that is nothing but its databases. It does what the port promises, and what a killed server would leave. */
export class TwinServer implements PostgresServer {
  readonly version;
  readonly imageId = 'sha256:twin';
  readonly #databases: Map<string, TwinDatabase>;
  readonly #faults: Faults;
  readonly #close: () => void;
  readonly #state: PostgresState;
  readonly #connection: Connection = { lost: false };

  constructor(databases: Map<string, TwinDatabase>, state: PostgresState, faults: Faults, close: () => void) {
    this.version = { version: `${state.major}.1`, major: state.major };
    this.#state = state;
    this.#databases = databases;
    this.#faults = faults;
    this.#close = close;
  }

  async openSnapshot(database: string): Promise<Snapshot> {
    return this.#call('openSnapshot', () => new TwinSnapshot(this.#must(database), this.#state, this.#faults, this.#connection));
  }

  async databases(): Promise<readonly DatabaseSummary[]> {
    return this.#call('databases', () =>
      [...this.#databases]
        .filter(([name]) => name !== 'template1')
        .map(([name, { allowsConnections }]) => ({ name, bytes: 8_000_000, allowsConnections })),
    );
  }

  async properties(database: string): Promise<DatabaseProperties> {
    return this.#call('properties', () => this.#must(database).properties);
  }

  async roles(): Promise<readonly string[]> {
    return this.#call('roles', () => ['postgres']);
  }

  async availableExtensions(): Promise<readonly string[]> {
    return this.#call('availableExtensions', () => ['plpgsql', 'pgcrypto']);
  }

  async tableCount(database: string): Promise<number> {
    return this.#call('tableCount', () => this.#enter(database).content.tables.length);
  }

  async countRows(database: string): Promise<RowCounts> {
    return this.#call('countRows', () => this.#enter(database).content.tables);
  }

  async scalar(database: string, sql: string): Promise<string | null | undefined> {
    return this.#call('scalar', () => {
      const answer = answers[sql];
      if (!answer) throw new PgbackupError('postgres', `The query failed: ${sql}`);
      return answer(this.#enter(database).content);
    });
  }

  async extensions(database: string): Promise<readonly string[]> {
    return this.#call('extensions', () => this.#enter(database).content.extensions);
  }

  async contents(input: RestoreInput): Promise<ArchiveContents> {
    return this.#call('contents', async () => {
      const content = await read(input);
      return {
        serverMajor: this.version.major,
        roles: ['postgres'],
        extensions: content.extensions,
        tables: content.tables.length,
        createsPublic: false,
      };
    });
  }

  async decode(input: RestoreInput): Promise<void> {
    await this.#call('decode', () => read(input));
  }

  async create(name: string, properties: DatabaseProperties): Promise<void> {
    await this.#call('create', () => {
      if (this.#databases.has(name)) throw new PgbackupError('postgres', `database "${name}" already exists`);
      this.#databases.set(name, { ...databaseOf(name, empty), properties: { ...properties, name, comment: null } });
    });
  }

  async applyProperties(name: string, properties: DatabaseProperties): Promise<void> {
    await this.#call('applyProperties', () => void (this.#must(name).properties = { ...properties, name }));
  }

  async drop(name: string): Promise<void> {
    await this.#call('drop', () => void this.#databases.delete(name));
  }

  async restore(name: string, input: RestoreInput, options: RestoreOptions, progress: (bytes: number) => void): Promise<void> {
    this.#state.restored.push(options);
    const content = await read(input);
    const half = (): void => void (this.#must(name).content = { ...content, title: `half of ${content.title}`, whole: false });
    await this.#call(
      'restore',
      () => {
        half();
        progress(4_000_000);
        this.#must(name).content = content;
      },
      half,
    );
  }

  async analyze(name: string): Promise<void> {
    await this.#call('analyze', () => void this.#enter(name));
  }

  async flush(): Promise<void> {
    await this.#call('flush', () => {});
  }

  async blockers(): Promise<SwapBlockers> {
    return this.#call('blockers', () => ({ preparedTransactions: [], logicalSlots: [], subscriptions: [] }));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call('rename', () => {
      this.#rename(from, to);
      this.#must(to).allowsConnections = true;
    });
  }

  async swap({ live, scratch, previous }: Parameters<PostgresServer['swap']>[0]): Promise<number> {
    const fence = (): void => void (this.#must(live).allowsConnections = false);
    return this.#call(
      'swap',
      () => {
        this.#must(scratch);
        fence();
        this.#rename(live, previous);
        this.#rename(scratch, live);
        this.#must(live).allowsConnections = true;
        return 60;
      },
      // Killed between the fence and the renames, the server leaves the door shut.
      fence,
    );
  }

  async allowConnections(database: string): Promise<void> {
    await this.#call('allowConnections', () => void (this.#must(database).allowsConnections = true));
  }

  async endBackends(): Promise<void> {
    await this.#call('endBackends', () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Of a killed process the sidecar ends by itself some time later: recovery must not rely on it.
    if (!this.#faults.dead) this.#close();
  }

  #rename(from: string, to: string): void {
    const database = this.#must(from);
    if (this.#databases.has(to)) throw new PgbackupError('postgres', `database "${to}" already exists`);
    this.#databases.delete(from);
    this.#databases.set(to, { ...database, properties: { ...database.properties, name: to } });
  }

  #must(name: string): TwinDatabase {
    const found = this.#databases.get(name);
    if (!found) throw new PgbackupError('postgres', `database "${name}" does not exist`);
    return found;
  }

  #enter(name: string): TwinDatabase {
    const found = this.#must(name);
    if (!found.allowsConnections) throw new PgbackupError('postgres', `database "${name}" is not currently accepting connections`);
    return found;
  }

  #call<T>(name: string, action: () => T | Promise<T>, torn?: () => void): Promise<T> {
    return this.#faults.call(`server.${name}`, action, torn, this.#connection);
  }
}

async function read(input: RestoreInput): Promise<Content> {
  return readDump(Buffer.concat(await input.open().toArray()));
}
