import type { AppName } from '../domain/names.ts';
import { isAppName } from '../domain/names.ts';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { AppState, BackupJournal, SwapJournal } from '../domain/journal.ts';
import type { PreviousDatabase } from '../domain/previous.ts';
import { notRunning, type Service } from '../domain/service.ts';
import type { Ports, PostgresServer, Spool } from '../ports.ts';

export type RecoverPorts = Pick<
  Ports,
  'clock' | 'journals' | 'previous' | 'log' | 'spools' | 'postgres' | 'dokku' | 'storage' | 'reporter'
>;

/**
 * Puts right what an operation left that was killed: its journal says what it had begun, the server says how
 * far it came. Call with the service's lock held: the journal then belongs to nobody alive.
 * @throws PgbackupError damaged (the journal), refused (the service does not run), postgres, docker; the journal
 * then stays for a later command. Being killed in here is no harm: all of it can be done twice.
 */
export async function recover(ports: RecoverPorts, service: Service, spool: Spool): Promise<void> {
  // Also without a journal: an operation that was killed before it changed anything has left its files and its sidecar.
  await ports.spools.reclaim((operation) => ports.postgres.removeSidecars(operation));
  const journal = await ports.journals.read(service.name);
  // One that was killed while it wrote its first step may have left half a journal.
  if (!journal) return ports.journals.clear(service.name);
  ports.reporter.step(`Cleaning up after ${journal.operation}, which was cut off`);
  await ports.postgres.removeSidecars(journal.operation);
  const done = journal.kind === 'backup' ? await recoverBackup(ports, journal) : await recoverSwap(ports, service, spool, journal);
  await ports.journals.clear(service.name);
  ports.reporter.detail(done);
  const time = ports.clock.now().toISOString();
  await ports.log.append({
    time,
    service: service.name,
    operation: journal.kind,
    id: journal.operation,
    outcome: 'recovered',
    seconds: 0,
    message: done,
  });
}

async function recoverBackup(ports: RecoverPorts, { backupDir, prefix }: BackupJournal): Promise<string> {
  const storage = ports.storage(backupDir ?? undefined);
  try {
    await storage.sweep(prefix);
    // With its manifest it was complete; without, nothing will ever list what is left of it.
    if (await storage.head(`${prefix}manifest.json`)) return 'The backup was complete';
    for await (const key of storage.list(prefix)) await storage.delete(key);
    return 'What there was of the backup has been removed';
  } catch (error) {
    // It takes up room and is listed nowhere: no reason to refuse a restore, which may be what is needed now.
    return `What there was of the backup could not be removed, and is left to you: ${storage.place}/${prefix} (${messageOf(error)})`;
  }
}

async function recoverSwap(ports: RecoverPorts, service: Service, spool: Spool, journal: SwapJournal): Promise<string> {
  const stopped = notRunning(service);
  if (stopped) {
    throw new PgbackupError(
      'refused',
      `The ${journal.kind} ${journal.operation} was cut off, and what it left can be put right only while the service runs. ${stopped.message}`,
      {
        hint: `${stopped.hint}\nThen: dokku pgbackup:doctor ${service.name}`,
      },
    );
  }
  await using server = await ports.postgres.open(service, { spool });
  const { swapped } = await settle(ports, service, server, journal);
  await putBackApps(ports, journal.apps);
  return swapped ? `${journal.source} had been swapped in; the rest is done now` : `Database ${journal.live} is what it was before`;
}

/**
 * Takes an operation to its end or back. What the server shows counts, not what had been asked of it: it exchanges
 * databases by itself, and may have done so after its client was gone. Repeating it is harmless.
 */
export async function settle(
  ports: Pick<Ports, 'previous' | 'clock' | 'reporter'>,
  service: Service,
  server: PostgresServer,
  journal: SwapJournal,
): Promise<{ readonly swapped: boolean; readonly previous: PreviousDatabase | undefined }> {
  // A statement that was under way goes on after its client is dead: look only once it has ended.
  await server.endBackends(journal.operation);
  const databases = await server.databases();
  const has = (name: string): boolean => databases.some((database) => database.name === name);
  // Before the step `swap` none was asked for. After it, both names are exchanged in one transaction, and
  // nothing but it makes the name of the previous database.
  const asked = journal.step === 'swap' || journal.step === 'finish';
  const swapped = asked && (journal.liveExisted ? has(journal.previous) : has(journal.live) && !has(journal.scratch));
  const live = databases.find((database) => database.name === journal.live);
  if (live && !live.allowsConnections) await server.allowConnections(journal.live);
  if (swapped) {
    const previous = await recordPrevious(ports, service, journal);
    await dropOlder(ports, server, journal);
    return { swapped, previous };
  }
  // The scratch database of an undo is the previous one: somebody's data, and to stay.
  if (journal.kind === 'restore') await server.drop(journal.scratch);
  return { swapped, previous: undefined };
}

/** Records the database that was live before the swap, for undo. Repeating it is harmless. */
export async function recordPrevious(
  ports: Pick<Ports, 'previous' | 'clock'>,
  service: Service,
  journal: SwapJournal,
): Promise<PreviousDatabase | undefined> {
  if (journal.liveExisted) {
    const since = ports.clock.now();
    const until = new Date(since.getTime() + journal.keep * 1000);
    const previous = {
      live: journal.live,
      database: journal.previous,
      since: since.toISOString(),
      until: until.toISOString(),
      source: journal.source,
    };
    await ports.previous.write(service.name, previous);
    return previous;
  }
  // What the record names is live now, and nothing has taken its place.
  if (journal.kind === 'undo') await ports.previous.clear(service.name);
  return undefined;
}

/**
 * Drops the previous database of an earlier restore; only once the new one is on record. Swapped it is, whatever
 * becomes of that one: only room is at stake. Repeating it is harmless.
 */
export async function dropOlder(ports: Pick<Ports, 'reporter'>, server: PostgresServer, journal: SwapJournal): Promise<void> {
  const { older } = journal;
  if (older === null) return;
  await server.drop(older).catch((error: unknown) => {
    // A server that is gone meanwhile has not refused: the next command asks it again.
    if (!messageOf(error).startsWith('Postgres says')) throw error;
    ports.reporter.warn(`Database ${older}, which is not needed any more, could not be dropped: ${messageOf(error)}`);
  });
}

/** Maintenance mode and processes of the apps, back to what they were. Each is tried, whatever becomes of the others. */
export async function putBackApps(ports: Pick<Ports, 'dokku' | 'reporter'>, apps: readonly AppState[]): Promise<void> {
  for (const app of apps) {
    if (!isAppName(app.name)) continue;
    const name: AppName = app.name;
    if (app.stopped) {
      ports.reporter.step(`Starting ${name}`);
      await attempt(ports, `dokku ps:start ${name}`, () => ports.dokku.startApp(name));
    }
    if (app.maintenance !== 'off') continue;
    ports.reporter.step(`Maintenance mode off for ${name}`);
    await attempt(ports, `dokku maintenance:disable ${name}`, () => ports.dokku.setMaintenance(name, false));
  }
}

async function attempt(ports: Pick<Ports, 'reporter'>, command: string, action: () => Promise<void>): Promise<void> {
  // Twice: a Ctrl-C at the terminal can hit a command in the instant before it has a process group of its own.
  await action()
    .catch(action)
    .catch((error: unknown) => ports.reporter.warn(`This failed, and is left to you: ${command} (${messageOf(error)})`));
}
