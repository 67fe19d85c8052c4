import type { AppName } from '../domain/names.ts';
import { isAppName } from '../domain/names.ts';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { AppState, BackupJournal, SwapJournal } from '../domain/journal.ts';
import { formatManifest, parseManifest } from '../domain/manifest.ts';
import type { PreviousDatabase } from '../domain/previous.ts';
import { notRunning, type Service } from '../domain/service.ts';
import { parseStorageName } from '../domain/storage-name.ts';
import type { DatabaseSummary, Ports, PostgresServer, Spool } from '../ports.ts';

export type RecoverPorts = Pick<
  Ports,
  'clock' | 'locks' | 'journals' | 'previous' | 'log' | 'spools' | 'postgres' | 'dokku' | 'storages' | 'reporter'
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
  // Looking who reads takes away the marks of those that were killed. They are in nobody's way: no failure of it counts.
  await ports.locks.readers(service.name).catch(() => {});
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

async function recoverBackup(ports: RecoverPorts, { backupDir, storages, prefix }: BackupJournal): Promise<string> {
  const done = await Promise.all(storages.map((name) => recoverCopy(ports, name, backupDir ?? undefined, prefix)));
  const gone = storages.filter((_, i) => done[i] !== complete);
  if (gone.length > 0 && gone.length < storages.length) {
    const whole = storages.filter((name) => !gone.includes(name));
    await Promise.all(whole.map((name) => noteMissing(ports, name, backupDir ?? undefined, `${prefix}manifest.json`, gone)));
  }
  return done.length === 1 ? (done[0] ?? '') : done.map((text, i) => `${storages[i]}: ${text}`).join('; ');
}

const complete = 'The backup was complete';

/** A manifest that was written before the others could be names copies that there are not: what is behind is told by it. */
async function noteMissing(
  ports: Pick<RecoverPorts, 'storages' | 'reporter'>,
  name: string,
  backupDir: string | undefined,
  key: string,
  gone: readonly string[],
): Promise<void> {
  try {
    const storage = ports.storages.open(parseStorageName(name), backupDir);
    const manifest = parseManifest(await storage.readText(key), key);
    const states = (manifest.storages ?? []).map((state) =>
      gone.includes(state.name) ? { ...state, stored: false, message: 'The backup was cut off before it was there' } : state,
    );
    const text = formatManifest({ ...manifest, storages: states });
    await storage.put(
      key,
      (async function* () {
        yield Buffer.from(text);
      })(),
    );
  } catch (error) {
    ports.reporter.warn(`That ${gone.join(' and ')} lack the backup could not be noted in ${name}: ${messageOf(error)}`);
  }
}

async function recoverCopy(
  ports: Pick<RecoverPorts, 'storages'>,
  name: string,
  backupDir: string | undefined,
  prefix: string,
): Promise<string> {
  let place = name;
  try {
    const storage = ports.storages.open(parseStorageName(name), backupDir);
    ({ place } = storage);
    await storage.sweep(prefix);
    // With its manifest it was complete; without, nothing will ever list what is left of it.
    if (await storage.head(`${prefix}manifest.json`)) return complete;
    for await (const { key } of storage.list(prefix)) await storage.delete(key);
    return 'What there was of the backup has been removed';
  } catch (error) {
    // It takes up room and is listed nowhere: no reason to refuse a restore, which may be what is needed now.
    return `What there was of the backup could not be removed, and is left to you: ${place}/${prefix} (${messageOf(error)})`;
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
  const swapped = await settle(ports, service, server, journal);
  await putBackApps(ports, journal.apps);
  return swapped ? `${journal.source} had been swapped in; the rest is done now` : `Database ${journal.live} is what it was before`;
}

/**
 * Takes an operation to its end or back. What the server shows counts, not what had been asked of it: it exchanges
 * databases by itself, and may have done so after its client was gone. Repeating it is harmless.
 * @returns whether the databases are exchanged.
 */
export async function settle(
  ports: Pick<Ports, 'previous' | 'clock' | 'reporter'>,
  service: Service,
  server: PostgresServer,
  journal: SwapJournal,
): Promise<boolean> {
  const { swapped, live } = await lookAtSwap(server, journal);
  if (live && !live.allowsConnections) await server.allowConnections(journal.live);
  if (swapped) {
    await recordPrevious(ports, service, journal);
    await dropOlder(ports, server, journal);
  } else if (journal.kind === 'restore') {
    // The scratch database of an undo is the previous one: somebody's data, and to stay.
    await server.drop(journal.scratch);
  }
  return swapped;
}

/** What the server shows of an operation: whether it has swapped, and the database that is live. @throws PgbackupError postgres. */
export async function lookAtSwap(
  server: PostgresServer,
  journal: SwapJournal,
): Promise<{ readonly swapped: boolean; readonly live: DatabaseSummary | undefined }> {
  // A statement that was under way goes on after its client is dead: look only once it has ended.
  await server.endBackends(journal.operation);
  const databases = await server.databases();
  const has = (name: string): boolean => databases.some((database) => database.name === name);
  // Before the step `swap` none was asked for. After it, both names are exchanged in one transaction, and
  // nothing but it makes the name of the previous database.
  const asked = journal.step === 'swap' || journal.step === 'finish';
  const swapped = asked && (journal.liveExisted ? has(journal.previous) : has(journal.live) && !has(journal.scratch));
  return { swapped, live: databases.find((database) => database.name === journal.live) };
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
