import { compactTime } from '../domain/backup-id.ts';
import { PgbackupError } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import type { SwapJournal } from '../domain/journal.ts';
import type { ServiceName } from '../domain/names.ts';
import { operationDatabases } from '../domain/previous.ts';
import { notRunning, type Service } from '../domain/service.ts';
import type { Ports } from '../ports.ts';
import { abortable } from './abortable.ts';
import { confirmByName, type Consent } from './confirm.ts';
import { exchange } from './exchange.ts';
import { operate, type Operation, type OperationPorts } from './operation.ts';
import { quiesceApps, readAppStates } from './quiesce.ts';
import { resolveService, type Target } from './resolve.ts';

export interface UndoRequest extends Target, Consent {}

export interface UndoResult {
  readonly service: ServiceName;
  readonly database: string;
  /** Milliseconds; null when it is not known, undefined when there was no live database. */
  readonly gap: number | null | undefined;
  readonly previous: { readonly database: string; readonly until: string } | undefined;
}

/**
 * Swaps the previous database back in. What was live becomes the previous one, so that an undo can be undone.
 * @throws PgbackupError not-found, refused, confirmation, locked, postgres, docker, dokku; nothing is changed then,
 * unless the error says that this is not known.
 */
export async function undo(ports: OperationPorts & Pick<Ports, 'settings'>, request: UndoRequest): Promise<UndoResult> {
  const service = await resolveService(ports, request);
  const stopped = notRunning(service);
  if (stopped) throw new PgbackupError('refused', `Undo refused: ${stopped.message}`, { hint: stopped.hint });
  return operate(
    ports,
    service,
    'undo',
    (operation) => swapBack(ports, request, service, operation),
    (result) => `${result.database} exchanged`,
  );
}

async function swapBack(ports: OperationPorts, request: UndoRequest, service: Service, operation: Operation): Promise<UndoResult> {
  await using server = await operation.openServer();
  const previous = await ports.previous.read(service.name);
  if (!previous) {
    throw new PgbackupError(
      'not-found',
      `Service ${service.name} has no previous database: nothing was swapped in, or its keep time has ended`,
      {
        hint: `Restore a backup instead: dokku pgbackup:list ${service.name}`,
      },
    );
  }
  const databases = await server.databases();
  if (!databases.some((database) => database.name === previous.database)) {
    throw new PgbackupError('not-found', `The previous database ${previous.database} is not on the server any more`, {
      hint: `Restore a backup instead: dokku pgbackup:list ${service.name}`,
    });
  }
  const blockers = await server.blockers(previous.live);
  const blocking = [...blockers.preparedTransactions, ...blockers.logicalSlots, ...blockers.subscriptions];
  if (blocking.length > 0)
    throw new PgbackupError(
      'refused',
      `Undo refused: prepared transactions, replication slots or subscriptions use ${previous.live}: ${blocking.join(', ')}`,
    );
  ports.reporter.detail(`Back to the database from before ${previous.source} was swapped in at ${formatTime(previous.since)}`);
  ports.reporter.detail('What was written since then stays in the other database, which is kept in turn');
  await abortable(
    ports.signal,
    confirmByName(
      ports.reporter,
      service.name,
      request,
      'Undo',
      `database ${previous.live} would be exchanged for the one from before ${formatTime(previous.since)}`,
    ),
  );
  const names = {
    live: previous.live,
    scratch: previous.database,
    previous: operationDatabases(compactTime(operation.startedAt), operation.id.slice(-4)).previous,
  };
  const states = await readAppStates(ports, service.apps, false);
  const liveExisted = databases.some((database) => database.name === previous.live);
  const journal: SwapJournal = {
    kind: 'undo',
    operation: operation.id,
    ...names,
    liveExisted,
    keep: (new Date(previous.until).getTime() - new Date(previous.since).getTime()) / 1000,
    source: `undo of ${previous.source}`,
    step: 'maintenance',
    older: null,
    apps: [],
  };
  const { gap, previous: kept } = await exchange(ports, { service, server, operation, journal }, async (advance) => {
    await advance('maintenance', states);
    await quiesceApps(ports, service.apps, states);
  });
  return { service: service.name, database: previous.live, gap, previous: kept && { database: kept.database, until: kept.until } };
}
