/** The composition root: puts the parts together, and is the only file that knows all of them. */
import { AgeEncryption } from './adapters/crypto/age.ts';
import { DokkuCron } from './adapters/dokku/cron.ts';
import { DokkuCli } from './adapters/dokku/dokku-cli.ts';
import { Machine, pause, systemClock } from './adapters/host.ts';
import { DokkuPostgresBackups } from './adapters/dokku/legacy-backups.ts';
import { FileLocks } from './adapters/locks.ts';
import { FileMonitoring } from './adapters/monitoring.ts';
import { HttpNotifier } from './adapters/notifier.ts';
import { Paths } from './adapters/paths.ts';
import { DockerPostgres } from './adapters/postgres/postgres.ts';
import { FileSchedules } from './adapters/schedules-store.ts';
import { PropertyFiles } from './adapters/settings-store.ts';
import { FileSlots } from './adapters/slots.ts';
import { FileSources } from './adapters/source/sources.ts';
import { FolderSpools } from './adapters/spool.ts';
import { FileJournals, FileOperationLog, FilePreviousDatabases } from './adapters/state.ts';
import { FileStorages } from './adapters/storage/storages.ts';
import { exitCodeOf } from './cli/exit-code.ts';
import { Output } from './cli/output.ts';
import { runProgram } from './cli/program.ts';
import type { Ports } from './ports.ts';
import { messageOf, PgbackupError } from './domain/errors.ts';
import { version } from './version.ts';

const signalCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * The adapters. They are part of the one file that every command loads, since each further file costs more to
 * find than these cost to read; the libraries that some of them need come only when they are used.
 */
function createPorts(output: Output, signal: AbortSignal): Ports {
  const paths = new Paths(process.env);
  const locks = new FileLocks(paths.state, systemClock);
  const spools = new FolderSpools(paths.spool);
  const encryption = new AgeEncryption();
  return {
    clock: systemClock,
    pause,
    dokku: new DokkuCli(process.env['DOKKU_ROOT'] ?? '/home/dokku', () => locks.lend()),
    postgres: new DockerPostgres(paths),
    locks,
    slots: new FileSlots(paths.state, systemClock),
    schedules: new FileSchedules(paths.schedules),
    cron: new DokkuCron(),
    journals: new FileJournals(paths.state),
    previous: new FilePreviousDatabases(paths.state),
    log: new FileOperationLog(paths.state),
    settings: new PropertyFiles(paths.config),
    spools,
    sources: new FileSources(encryption, spools),
    host: new Machine(paths.state, systemClock),
    reporter: output,
    notifier: new HttpNotifier(systemClock, version),
    monitoring: new FileMonitoring(paths.state),
    storages: new FileStorages(paths, process.env['PGBACKUP_METADATA_ENDPOINT']),
    signal,
    encryption,
    legacyBackups: new DokkuPostgresBackups(),
  };
}

/** Why stdout did not take what was to be said: a full disk, say. Somebody who stopped reading is no such reason. */
let unsaid: string | undefined;

/** A directory that is gone, where somebody still stands, must not be in the way. */
function standSomewhere(): void {
  try {
    process.cwd();
  } catch {
    process.chdir('/');
  }
}

async function main(): Promise<number> {
  const output = new Output();
  const stop = new AbortController();
  let signalCode: number | undefined;
  for (const [name, code] of Object.entries(signalCodes)) {
    process.on(name, () => {
      // A second Ctrl-C changes nothing: what is under way is being taken back, and must be.
      signalCode ??= code;
      stop.abort(new PgbackupError('interrupted', 'Interrupted'));
    });
  }
  // A bug in some callback: what is under way is taken back for it too, rather than left to the next command.
  process.on('uncaughtException', (error) => {
    output.failure(error);
    signalCode ??= exitCodeOf(error);
    stop.abort(new PgbackupError('interrupted', 'Interrupted by the failure above'));
  });
  // The other end of the terminal may be gone; what runs must finish or be taken back all the same.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') unsaid ??= messageOf(error);
  });
  process.stderr.on('error', () => {});
  let ports: Ports | undefined;
  try {
    const argv = process.argv.slice(2);
    await runProgram(argv, { output, version, typed: argv, ports: async () => (ports ??= createPorts(output, stop.signal)) });
    return 0;
  } catch (error) {
    output.failure(error);
    return exitCodeOf(error, signalCode);
  }
}

standSomewhere();
const code = await main();
// Not left to the event loop: a docker client that is still closing must not keep the person waiting.
process.stdout.write('', () => {
  if (unsaid !== undefined) process.stderr.write(` !     Not all of the output could be written: ${unsaid}\n`);
  process.exit(unsaid !== undefined && code === 0 ? 1 : code);
});
