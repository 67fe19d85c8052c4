import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { AppState, SwapJournal } from '../domain/journal.ts';
import type { PreviousDatabase } from '../domain/previous.ts';
import type { Service } from '../domain/service.ts';
import type { PostgresServer } from '../ports.ts';
import type { Operation, OperationPorts } from './operation.ts';
import { dropOlder, lookAtSwap, putBackApps, recordPrevious, settle } from './recover.ts';

/** An operation that ends in a swap. */
export interface Exchange {
  readonly service: Service;
  readonly server: PostgresServer;
  readonly operation: Operation;
  /** As it stands before anything was done. */
  readonly journal: SwapJournal;
}

/** Writes the next step, and the apps that it concerns, to the journal: to be awaited before the step is taken. */
export type Advance = (step: SwapJournal['step'], apps?: readonly AppState[]) => Promise<void>;

export interface Exchanged<Prepared> {
  readonly prepared: Prepared;
  /** Milliseconds without the database; null when it is not known, undefined when there was none before. */
  readonly gap: number | null | undefined;
  readonly previous: PreviousDatabase | undefined;
}

/**
 * Prepares and swaps, with each step in the journal before it is taken. Until the swap every failure takes all of
 * it back; once the databases are exchanged nothing is a failure any more, only something left to be finished.
 * @throws PgbackupError, and whatever `prepare` throws; the databases and the apps are then what they were, or
 * the journal is left to the next command. Whether it has swapped is not known where the error says so, and only there.
 */
export async function exchange<Prepared>(
  ports: OperationPorts,
  work: Exchange,
  prepare: (advance: Advance) => Promise<Prepared>,
): Promise<Exchanged<Prepared>> {
  const { service, server } = work;
  await using asking = new Asking(ports, work);
  let journal = work.journal;
  const advance: Advance = async (step, apps = journal.apps) => {
    const next = { ...journal, step, apps: [...apps] };
    await ports.journals.write(service.name, next);
    journal = next;
  };
  let prepared: Prepared;
  try {
    prepared = await prepare(advance);
    ports.signal.throwIfAborted();
    await advance('swap');
  } catch (error) {
    await takeBack(ports, service, asking, journal);
    throw error;
  }
  ports.reporter.step(`Swapping the ${journal.kind === 'undo' ? 'previous database back' : 'restored database'} in as ${journal.live}`);
  let gap: number | null | undefined;
  try {
    if (journal.liveExisted) gap = await server.swap(journal);
    else await server.rename(journal.scratch, journal.live);
  } catch (error) {
    if (!(await hasSwapped(ports, service, asking, journal, error))) {
      await takeBack(ports, service, asking, journal);
      throw error;
    }
    if (journal.liveExisted) gap = null;
  }
  return { prepared, gap, previous: await finish(ports, service, asking, advance, () => journal) };
}

/**
 * Whether the swap was done, of which we heard only that it failed: the answer can get lost.
 * @throws PgbackupError postgres, when nobody can say; the journal is then left to the next command.
 */
async function hasSwapped(
  ports: OperationPorts,
  service: Service,
  asking: Asking,
  journal: SwapJournal,
  failure: unknown,
): Promise<boolean> {
  try {
    return (await asking.anyhow((server) => lookAtSwap(server, journal))).swapped;
  } catch {
    await putBackApps(ports, journal.apps);
    throw new PgbackupError(
      'postgres',
      `It is not known whether the ${journal.kind} has swapped its database in as ${journal.live}, and Postgres cannot be asked now: ${messageOf(failure)}. ` +
        `The live database is whole either way, and the next command on ${service.name} will finish or take back the rest`,
      { hint: `To find out: dokku pgbackup:doctor ${service.name}`, cause: failure, outcomeUnknown: true },
    );
  }
}

async function finish(
  ports: OperationPorts,
  service: Service,
  asking: Asking,
  advance: Advance,
  journal: () => SwapJournal,
): Promise<PreviousDatabase | undefined> {
  let previous: PreviousDatabase | undefined;
  try {
    try {
      await advance('finish');
      previous = await recordPrevious(ports, service, journal());
    } finally {
      // Before the drop, for which the server writes everything to its disk: the apps need not wait for that.
      await putBackApps(ports, journal().apps);
    }
    await asking.anyhow((server) => dropOlder(ports, server, journal()));
    await ports.journals.clear(service.name);
  } catch (error) {
    ports.reporter.warn(
      `The database is exchanged, but not all is in order yet: ${messageOf(error)}. The next command on ${service.name} will see to it`,
    );
  }
  return previous;
}

/** After a failure that we live to see: the same as recovery after one that we do not. What fails of it is left to the next command. */
async function takeBack(ports: OperationPorts, service: Service, asking: Asking, journal: SwapJournal): Promise<void> {
  try {
    await asking.anyhow((server) => settle(ports, service, server, journal));
    await putBackApps(ports, journal.apps);
    await ports.journals.clear(service.name);
  } catch {
    await putBackApps(ports, journal.apps);
    ports.reporter.warn(`Not everything could be put back now; the next command on ${service.name} will do it`);
  }
}

/** The server, over a session of our own once the one that we were given fails. */
class Asking implements AsyncDisposable {
  readonly #open: () => Promise<PostgresServer>;
  readonly #given: PostgresServer;
  #fresh: PostgresServer | undefined;

  constructor(ports: OperationPorts, { service, server, operation }: Exchange) {
    this.#open = () => ports.postgres.open(service, { spool: operation.spool });
    this.#given = server;
  }

  /** @throws what `ask` throws over a new session, too. */
  async anyhow<T>(ask: (server: PostgresServer) => Promise<T>): Promise<T> {
    const server = this.#fresh ?? this.#given;
    try {
      return await ask(server);
    } catch {
      // What failed may have been our sidecar or our session; a new one may do, and a closed database cannot wait.
      await server[Symbol.asyncDispose]();
      this.#fresh = await this.#open();
      return ask(this.#fresh);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fresh?.[Symbol.asyncDispose]();
  }
}
