import { makeBackupId, type BackupId } from '../domain/backup-id.ts';
import { isOutcomeUnknown, messageOf, PgbackupError } from '../domain/errors.ts';
import { formatTime } from '../domain/format.ts';
import type { Service } from '../domain/service.ts';
import type { Ports, PostgresServer, ServerOptions, Spool, Wait } from '../ports.ts';
import { abortable } from './abortable.ts';
import { openAnnouncement, type AnnouncementPorts } from './announcement.ts';
import type { Described } from './notices.ts';
import { recover } from './recover.ts';

/** What an operation that nobody watches is given. */
export interface Circumstances {
  /** For another operation on the service to end; undefined: not at all. */
  readonly wait?: Wait;
  /** Id of the schedule on whose behalf, for the log and for notices. */
  readonly schedule?: string;
  /** Hears that it has its turn: from here on the outcome comes to the log by itself. */
  readonly begun?: () => void;
}

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
  'clock' | 'locks' | 'journals' | 'previous' | 'log' | 'spools' | 'postgres' | 'dokku' | 'storages' | 'reporter' | 'signal'
> &
  AnnouncementPorts;

/**
 * Runs an operation on a service: alone, after whatever a killed one left has been put right, and with its
 * outcome in the log, and told to whoever wants to hear of it. @param describe what is said of a result.
 * @throws PgbackupError locked, and whatever the operation throws.
 */
export async function operate<Result>(
  ports: OperationPorts,
  service: Service,
  purpose: string,
  work: (operation: Operation) => Promise<Result>,
  describe: (result: Result) => string | Described,
  { wait, schedule, begun }: Circumstances = {},
): Promise<Result> {
  // Told once the lock is free again: an endpoint that is slow must not keep the next operation waiting.
  await using announcement = openAnnouncement(ports, service, purpose, schedule ?? null);
  await using _lock = await ports.locks.acquire(service.name, purpose, wait);
  begun?.();
  // Not before: whoever has waited begins now, and what it sees is of now.
  const startedAt = ports.clock.now();
  const id = makeBackupId(service.name, startedAt, ports.clock.suffix());
  announcement.begin(id, startedAt);
  const record = async (outcome: 'ok' | 'partial' | 'failed', message: string): Promise<void> => {
    const seconds = (ports.clock.now().getTime() - startedAt.getTime()) / 1000;
    const told = schedule === undefined ? message : `scheduled (${schedule}): ${message}`;
    await ports.log.append({
      time: startedAt.toISOString(),
      service: service.name,
      operation: purpose,
      id,
      outcome,
      seconds,
      message: told,
    });
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
    const said = describe(result);
    const described: Described = typeof said === 'string' ? { outcome: 'ok', message: said } : said;
    await record(described.outcome, described.message);
    announcement.end({ described });
    return result;
  } catch (error) {
    const failure = ports.signal.aborted && !isOutcomeUnknown(error) ? await interruption(ports, service, purpose, error) : error;
    await record('failed', messageOf(failure));
    announcement.end({ error: failure });
    throw failure;
  }
}

/** What is said of an operation that a signal has stopped: with its journal left, not all of it is taken back. */
async function interruption(
  ports: Pick<OperationPorts, 'journals'>,
  service: Service,
  purpose: string,
  cause: unknown,
): Promise<PgbackupError> {
  const left = await ports.journals.read(service.name).then(
    (journal) => journal !== undefined,
    () => true,
  );
  const rest = left ? `. The next command on ${service.name} takes back what is left of it` : ', and taken back';
  return new PgbackupError('interrupted', `Interrupted: ${purpose} of ${service.name} was stopped${rest}`, { cause });
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
