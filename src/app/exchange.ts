import { messageOf } from '../domain/errors.ts';
import type { AppState, SwapJournal } from '../domain/journal.ts';
import type { PreviousDatabase } from '../domain/previous.ts';
import type { Service } from '../domain/service.ts';
import type { PostgresServer } from '../ports.ts';
import type { Operation, OperationPorts } from './operation.ts';
import { dropOlder, putBackApps, recordPrevious, settle } from './recover.ts';

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
  /** Milliseconds without the database; undefined when it is not known, or there was none before. */
  readonly gap: number | undefined;
  readonly previous: PreviousDatabase | undefined;
}

/**
 * Prepares and swaps, with each step in the journal before it is taken. Until the swap every failure takes all of
 * it back; once the databases are exchanged nothing is a failure any more, only something left to be finished.
 * @throws PgbackupError, and whatever `prepare` throws; the databases and the apps are then what they were, or
 * the journal is left to the next command.
 */
export async function exchange<Prepared>(
  ports: OperationPorts,
  work: Exchange,
  prepare: (advance: Advance) => Promise<Prepared>,
): Promise<Exchanged<Prepared>> {
  const { service, server } = work;
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
    await takeBack(ports, work, journal);
    throw error;
  }
  ports.reporter.step(`Swapping the ${journal.kind === 'undo' ? 'previous database back' : 'restored database'} in as ${journal.live}`);
  let gap: number | undefined;
  try {
    if (journal.liveExisted) gap = await server.swap(journal);
    else await server.rename(journal.scratch, journal.live);
  } catch (error) {
    // The server may have done it all the same: the answer can get lost.
    const settled = await takeBack(ports, work, journal);
    if (!settled?.swapped) throw error;
    return { prepared, gap: undefined, previous: settled.previous };
  }
  return { prepared, gap, previous: await finish(ports, work, advance, () => journal) };
}

async function finish(
  ports: OperationPorts,
  { service, server }: Exchange,
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
    await dropOlder(ports, server, journal());
    await ports.journals.clear(service.name);
  } catch (error) {
    ports.reporter.warn(
      `The database is exchanged, but not all is in order yet: ${messageOf(error)}. The next command on ${service.name} will see to it`,
    );
  }
  return previous;
}

/** After a failure that we live to see: the same as recovery after one that we do not. Undefined: it is left to the next command. */
async function takeBack(
  ports: OperationPorts,
  work: Exchange,
  journal: SwapJournal,
): Promise<Awaited<ReturnType<typeof settle>> | undefined> {
  const { service } = work;
  try {
    const settled = await settleAnyhow(ports, work, journal);
    await putBackApps(ports, journal.apps);
    await ports.journals.clear(service.name);
    return settled;
  } catch {
    await putBackApps(ports, journal.apps);
    ports.reporter.warn(`Not everything could be put back now; the next command on ${service.name} will do it`);
    return undefined;
  }
}

async function settleAnyhow(
  ports: OperationPorts,
  { service, server, operation }: Exchange,
  journal: SwapJournal,
): ReturnType<typeof settle> {
  try {
    return await settle(ports, service, server, journal);
  } catch {
    // What failed may have been our sidecar or our session; a new one may do, and a closed database cannot wait.
    await server[Symbol.asyncDispose]();
    await using fresh = await ports.postgres.open(service, { spool: operation.spool });
    return await settle(ports, service, fresh, journal);
  }
}
