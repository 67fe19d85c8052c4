import * as v from 'valibot';
import { identifier, literal } from './quote.ts';
import type { Session } from './session.ts';

export interface SwapNames {
  readonly live: string;
  readonly scratch: string;
  readonly previous: string;
}

const patience = '20 seconds';

/**
 * One DO statement: once the server has it, it finishes or takes back the swap alone, whatever becomes of us.
 * Fence first, since clients that reconnect at once would otherwise win every race against the rename; end
 * the backends and look every 2 ms until none is left (the wait built into pg_terminate_backend is coarser);
 * rename both in one transaction. Any error or lost patience opens the database again before it is raised.
 */
function swapStatement({ live, scratch, previous }: SwapNames): string {
  const database = (name: string, change: string): string => `EXECUTE ${literal(`ALTER DATABASE ${identifier(name)} ${change}`)};`;
  // Quoted as a string: a name may hold any dollar quote there is.
  return `DO ${literal(`
DECLARE
  fenced_at timestamptz := clock_timestamp();
  problem text;
  swapped boolean := false;
BEGIN
  ${database(live, 'ALLOW_CONNECTIONS false')}
  COMMIT;
  LOOP
    PERFORM pg_stat_clear_snapshot();
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname IN (${literal(live)}, ${literal(scratch)}) AND pid <> pg_backend_pid();
    IF NOT FOUND THEN
      BEGIN
        ${database(live, `RENAME TO ${identifier(previous)}`)}
        ${database(scratch, `RENAME TO ${identifier(live)}`)}
        ${database(live, 'ALLOW_CONNECTIONS true')}
        swapped := true;
        problem := NULL;
      EXCEPTION
        WHEN object_in_use THEN problem := SQLERRM;
        WHEN OTHERS THEN problem := SQLERRM; fenced_at := '-infinity';
      END;
    ELSE
      problem := 'its connections do not end';
    END IF;
    EXIT WHEN swapped OR clock_timestamp() > fenced_at + interval '${patience}';
    PERFORM pg_sleep(0.002);
  END LOOP;
  IF NOT swapped THEN
    ${database(live, 'ALLOW_CONNECTIONS true')}
    COMMIT;
    RAISE EXCEPTION 'the databases could not be exchanged: %', problem;
  END IF;
  COMMIT;
  PERFORM set_config('pgbackup.gap', (extract(epoch FROM clock_timestamp() - fenced_at) * 1000)::text, false);
END`)}`;
}

/**
 * Exchanges the databases. @returns milliseconds during which `live` refused connections.
 * @throws PgbackupError postgres; `live` then is what it was, and open.
 */
export async function swapDatabases(session: Session, names: SwapNames, major: number): Promise<number> {
  // Our death must not stop the server halfway.
  if (major >= 14) await session.run('SET client_connection_check_interval = 0');
  // The previous record is dropped once this has committed: it must be on the disk by then, whatever the server is set to.
  await session.run('SET synchronous_commit = local');
  await session.run('SET lock_timeout = 0');
  await session.run('SET statement_timeout = 0');
  await session.run(swapStatement(names));
  const row = await session.row(
    v.object({ gap: v.pipe(v.string(), v.transform(Number)) }),
    "SELECT current_setting('pgbackup.gap') AS gap",
  );
  return row.gap;
}

/** Gives the scratch database its name when there is no live one to exchange it with. A previous one was closed: it opens with it. */
export async function renameDatabase(session: Session, from: string, to: string): Promise<void> {
  await session.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${literal(from)} AND pid <> pg_backend_pid()`);
  const change = (name: string, what: string): string => `EXECUTE ${literal(`ALTER DATABASE ${identifier(name)} ${what}`)};`;
  await session.run(`DO ${literal(`BEGIN ${change(from, `RENAME TO ${identifier(to)}`)} ${change(to, 'ALLOW_CONNECTIONS true')} END`)}`);
}
