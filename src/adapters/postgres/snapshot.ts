import * as v from 'valibot';
import { PgbackupError } from '../../domain/errors.ts';
import type { Dump, DumpRequest, RowCounts, Snapshot } from '../../ports.ts';
import { lockedOut, startDump, type DumpSetup } from './dump.ts';
import * as facts from './facts.ts';
import type { Session } from './session.ts';

/**
 * Opens a transaction in a session, which it takes over, and exports its snapshot, which pg_dump then works in too.
 * @throws PgbackupError postgres.
 */
export async function openSnapshot(
  setup: Omit<DumpSetup, 'snapshot'>,
  session: Session,
  settings: readonly (readonly [string, string])[],
): Promise<Snapshot> {
  try {
    for (const [name, value] of settings) await session.run(`SET ${name} = ${value}`);
    // Rows that a policy hides must be an error, and not a smaller count.
    await session.run('SET row_security = off');
    await session.run('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    const { snapshot } = await session.row(v.object({ snapshot: v.string() }), 'SELECT pg_export_snapshot() AS snapshot');
    return new OpenSnapshot(session, { ...setup, snapshot });
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof PgbackupError && error.message.includes('(SQLSTATE 55P03)');
}

class OpenSnapshot implements Snapshot {
  readonly #session: Session;
  readonly #setup: DumpSetup;
  #lockTimeout = 0;

  constructor(session: Session, setup: DumpSetup) {
    this.#session = session;
    this.#setup = setup;
  }

  async facts(): ReturnType<Snapshot['facts']> {
    const session = this.#session;
    return {
      database: await facts.readProperties(session, this.#setup.database),
      bytes: await facts.readBytes(session, this.#setup.database),
      extensions: await facts.readExtensions(session),
      roles: await facts.readRoles(session),
      schemas: await facts.readSchemas(session),
      largeObjects: await facts.readLargeObjects(session),
    };
  }

  async countRows(schemas: readonly string[]): Promise<RowCounts> {
    const session = this.#session;
    await session.run('SAVEPOINT counted');
    // The locks on what was counted would last as long as the snapshot: a lock table that has room for pg_dump alone has none for both.
    return facts
      .countRows(session, schemas, () => session.run('ROLLBACK TO SAVEPOINT counted'))
      .catch((error: unknown) => Promise.reject(isLockTimeout(error) ? lockedOut(this.#lockTimeout, 'a table', error) : error));
  }

  async dump(request: DumpRequest): Promise<Dump> {
    // The counting waits for locks as pg_dump does, and a little longer: pg_dump can tell which table it was.
    await this.#session.run(`SET LOCAL lock_timeout = ${request.lockTimeout * 1000 + 2000}`);
    this.#lockTimeout = request.lockTimeout;
    return startDump(this.#setup, request);
  }

  rewrittenTables(): Promise<string[]> {
    return facts.readRewritten(this.#session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
