import { makeBackupId, type BackupId } from '../domain/backup-id.ts';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import type { Service } from '../domain/service.ts';
import type { Ports, PostgresServer, ServerOptions, Spool } from '../ports.ts';
import { abortable } from './abortable.ts';
import { recover } from './recover.ts';

/** What an operation works with while it has the service for itself. */
export interface Operation {
  /** Also the id of the backup, where the operation makes one. */
  readonly id: BackupId;
  readonly startedAt: Date;
  readonly spool: Spool;
  /** The caller disposes of it. */
  openServer(options?: Omit<ServerOptions, 'spool'>): Promise<PostgresServer>;
}

export type OperationPorts = Pick<
  Ports,
  'clock' | 'locks' | 'journals' | 'previous' | 'log' | 'spools' | 'postgres' | 'dokku' | 'storage' | 'reporter' | 'signal'
>;

/**
 * Runs an operation on a service: alone, after whatever a killed one left has been put right, and with its
 * outcome in the log. @param describe what the log says of a result.
 * @throws PgbackupError locked, and whatever the operation throws.
 */
export async function operate<Result>(
  ports: OperationPorts,
  service: Service,
  purpose: string,
  work: (operation: Operation) => Promise<Result>,
  describe: (result: Result) => string,
): Promise<Result> {
  const startedAt = ports.clock.now();
  const id = makeBackupId(service.name, startedAt, ports.clock.suffix());
  await using _lock = await ports.locks.acquire(service.name, purpose);
  const record = async (outcome: 'ok' | 'failed', message: string): Promise<void> => {
    const seconds = (ports.clock.now().getTime() - startedAt.getTime()) / 1000;
    await ports.log.append({ time: startedAt.toISOString(), service: service.name, operation: purpose, id, outcome, seconds, message });
  };
  try {
    ports.signal.throwIfAborted();
    await using spool = await ports.spools.open(id);
    await recover(ports, service, spool);
    ports.signal.throwIfAborted();
    const result = await work({
      id,
      startedAt,
      spool,
      // A Docker that does not answer keeps nobody waiting: what it may still start ends with this process.
      openServer: (options = {}) => abortable(ports.signal, ports.postgres.open(service, { ...options, spool })),
    });
    await record('ok', describe(result));
    return result;
  } catch (error) {
    const interrupted = ports.signal.aborted
      ? new PgbackupError('interrupted', `Interrupted: ${purpose} of ${service.name} was stopped, and taken back`, { cause: error })
      : undefined;
    await record('failed', messageOf(interrupted ?? error));
    throw interrupted ?? error;
  }
}

/**
 * Drops the previous database once its keep time has ended. Only a backup does so: whoever restores or undoes may
 * need it, however late, and a command that is refused or only tries must change nothing. No failure of it counts.
 */
export async function dropExpired(
  ports: Pick<OperationPorts, 'previous' | 'clock' | 'reporter'>,
  service: Service,
  server: PostgresServer,
): Promise<void> {
  try {
    const previous = await ports.previous.read(service.name);
    if (!previous || ports.clock.now() < new Date(previous.until)) return;
    const gone = `The previous database of ${service.name} (${previous.database}), kept until ${formatTime(previous.until)},`;
    await server.drop(previous.database);
    await ports.previous.clear(service.name);
    ports.reporter.detail(`${gone} is dropped now`);
  } catch (error) {
    ports.reporter.warn(`The previous database of ${service.name}, whose keep time has ended, could not be dropped: ${messageOf(error)}`);
  }
}
