import * as v from 'valibot';
import { PgbackupError } from '../../domain/errors.ts';
import { notRunning, type Service } from '../../domain/service.ts';
import type { Postgres, PostgresServer, RestoreInput, ServerOptions, ServerVersion, Spool } from '../../ports.ts';
import { inspectContainer } from '../docker/docker.ts';
import { removeSidecars, Sidecar } from '../docker/sidecar.ts';
import type { Paths } from '../paths.ts';
import { spoolInside, type Compressor } from './dump.ts';
import { readVersion } from './facts.ts';
import { decodeArchive } from './restore.ts';
import { SidecarServer } from './server.ts';
import { Session } from './session.ts';

/** Name under which the sessions of an operation appear on the server; Postgres cuts names at 63 bytes, so the service is left out. */
export function applicationName(operation: string): string {
  return `pgbackup-${operation.slice(-21)}`;
}

/** Postgres servers of Dokku services, reached through Docker. */
export class DockerPostgres implements Postgres {
  readonly #paths: Paths;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  async open(service: Service, options: ServerOptions): Promise<PostgresServer> {
    const stopped = notRunning(service);
    if (stopped) throw new PgbackupError('refused', stopped.message, { hint: stopped.hint });
    const container = await inspectContainer(service.containerId);
    if (!container || container.labels['dokku.service'] !== 'postgres' || container.name !== `dokku.postgres.${service.name}`) {
      throw new PgbackupError(
        'refused',
        `The container ${service.containerId.slice(0, 12)} is not that of Postgres service ${service.name}`,
        {
          hint: `Compare: dokku postgres:info ${service.name} with docker ps`,
        },
      );
    }
    const mounts = this.#mountable(options.mounts ?? []);
    const env = {
      PGHOST: '127.0.0.1',
      PGPORT: '5432',
      PGUSER: service.login.user,
      PGPASSWORD: service.login.password,
      PGAPPNAME: applicationName(options.spool.operation),
      PGCONNECT_TIMEOUT: '10',
      PGOPTIONS: sessionOptions([]),
    };
    const sidecar = await Sidecar.open({
      image: container.imageId,
      operation: options.spool.operation,
      networkOf: container.id,
      shares: options.shares,
      mounts: [...this.#spoolMount(options.spool), ...mounts.map((m) => ({ host: m.host, inside: m.inside, writable: false }))],
      env,
    });
    const begun = new Map<string, Promise<Session>>();
    if (options.snapshotOf !== undefined) {
      const session = Session.open(sidecar, options.snapshotOf);
      // It ends with the sidecar, taken or not.
      session.catch(() => {});
      begun.set(options.snapshotOf, session);
    }
    try {
      const admin = await openAdmin(sidecar, service.login.database);
      const version = await readVersion(admin);
      for (const [name, value] of laterSettings(version.major)) await admin.run(`SET ${name} = ${value}`);
      const work = workSettings(version.major, await isSuperuser(admin));
      return new SidecarServer({
        sidecar,
        spool: options.spool,
        admin,
        begun,
        version,
        imageId: container.imageId,
        compressor: await findCompressor(sidecar, version),
        applicationName,
        mounts: new Map(mounts.map((m) => [m.path, m.inside])),
        workSettings: work,
        workEnv: { PGOPTIONS: sessionOptions(work) },
        sqlEnv: { PGOPTIONS: sessionOptions(work, 'path of the database') },
      });
    } catch (error) {
      await sidecar[Symbol.asyncDispose]();
      throw error;
    }
  }

  async decodeOffline(image: string, input: RestoreInput, options: { readonly spool: Spool }): Promise<void> {
    const mounts = this.#mountable(input.file === undefined ? [] : [input.file]);
    await using sidecar = await Sidecar.open({
      image,
      operation: options.spool.operation,
      networkOf: undefined,
      mounts: [...this.#spoolMount(options.spool), ...mounts.map((m) => ({ host: m.host, inside: m.inside, writable: false }))],
      env: {},
    });
    await decodeArchive({ sidecar, spool: options.spool, env: {}, fileInside: mounts[0]?.inside }, input);
  }

  async removeSidecars(operation: string): Promise<void> {
    await removeSidecars(operation);
  }

  #spoolMount(spool: Spool): { host: string; inside: string; writable: boolean }[] {
    return [{ host: this.#paths.onHost(spool.path) ?? spool.path, inside: spoolInside, writable: true }];
  }

  /** Files that Docker can be told to show to a sidecar, each alone; the others are streamed into it. */
  #mountable(files: readonly string[]): { path: string; host: string; inside: string }[] {
    return files.flatMap((path, i) => {
      const host = this.#paths.onHost(path);
      return host === undefined ? [] : [{ path, host, inside: `/source-${i}` }];
    });
  }
}

/** Settings that came with a later version: an older server ends the connection over them. */
function laterSettings(major: number): [string, string][] {
  return [
    ...(major >= 14 ? ([['idle_session_timeout', '0']] as [string, string][]) : []),
    ...(major >= 17 ? ([['transaction_timeout', '0']] as [string, string][]) : []),
  ];
}

/** And for whoever works on the database for long. */
function workSettings(major: number, superuser: boolean): [string, string][] {
  return [
    // A backend that waits for a lock does not notice that its client is gone unless it is told to look.
    ...(major >= 14 ? ([['client_connection_check_interval', '500']] as [string, string][]) : []),
    // A login trigger that keeps a log would write into what was restored, and one that is choosy would let nobody in.
    ...(major >= 17 && superuser ? ([['event_triggers', 'off']] as [string, string][]) : []),
    ...laterSettings(major),
  ];
}

/**
 * What a server, a role or a database limits for the sake of its app must not end a backup or a restore in its middle.
 * Nor may it say where names are looked for: whoever may create a function or an operator in a schema of that path would
 * have it run by the superuser that we are. Only what a user has written, a check or plain SQL, means the database's path.
 */
function sessionOptions(more: readonly (readonly [string, string])[], path: 'none' | 'path of the database' = 'none'): string {
  const settings: (readonly [string, string])[] = [
    ['statement_timeout', '0'],
    ['lock_timeout', '0'],
    ['idle_in_transaction_session_timeout', '0'],
    ['default_transaction_read_only', 'off'],
    // ALTER DATABASE … SET role would make another of us.
    ['role', 'none'],
    ...(path === 'none' ? [['search_path', ''] as const] : []),
    ...more,
  ];
  return settings.map(([name, value]) => `-c ${name}=${value}`).join(' ');
}

async function isSuperuser(session: Session): Promise<boolean> {
  return (await session.row(v.object({ is: v.boolean() }), `SELECT current_setting('is_superuser') = 'on' AS is`)).is;
}

/**
 * A session outside the database that is worked on, which could not be renamed otherwise. Usually on `postgres`: one
 * on template1 keeps others from creating databases, and so is the last resort.
 */
async function openAdmin(sidecar: Sidecar, live: string): Promise<Session> {
  if (live === 'postgres') return Session.open(sidecar, 'template1');
  try {
    return await Session.open(sidecar, 'postgres');
  } catch (error) {
    // Somebody may have dropped it; any other trouble shows again, and is then told.
    return Session.open(sidecar, 'template1').catch(() => {
      throw error;
    });
  }
}

/** Who compresses: pg_dump itself from 16 on, a zstd in the image before, else this program. */
async function findCompressor(sidecar: Sidecar, version: ServerVersion): Promise<Compressor> {
  if (version.major >= 16) return 'pg_dump';
  const found = await sidecar.exec(['sh', '-c', 'command -v bash && command -v zstd']);
  found.stdin.end();
  found.stdout.resume();
  return (await found.done).exitCode === 0 ? 'zstd' : 'none';
}
