import * as v from 'valibot';
import { PgbackupError } from '../../domain/errors.ts';
import type { Cron, CronTask } from '../../ports.ts';
import { isNoProgram, run } from '../process.ts';

const tasks = v.array(v.object({ schedule: v.string(), command: v.string() }));

/** User dokku's crontab, which Dokku writes from what the trigger cron-entries of every plugin prints. */
export class DokkuCron implements Cron {
  async apply(): Promise<void> {
    const written = await run('plugn', ['trigger', 'scheduler-cron-write'], { env: { DOKKU_TRACE: '' } });
    if (written.exitCode === 0) return;
    const said = `${written.stderr}\n${written.stdout}`.replaceAll(/^(?: !|-+>|=+>) +/gm, '').trim();
    throw new PgbackupError('dokku', `Dokku could not write its crontab: ${said || `exit ${written.exitCode ?? 'by a signal'}`}`);
  }

  async installed(): Promise<readonly CronTask[]> {
    // What cron has, rather than what Dokku means to give it: `cron:list` asks the triggers once more.
    const table = await run('crontab', ['-l']).catch((error: unknown) => {
      if (isNoProgram(error)) return undefined;
      throw error;
    });
    if (table === undefined) return listed();
    return table.exitCode === 0 ? parseCrontab(table.stdout) : [];
  }
}

/** For a Dokku whose crontab is not ours to read. */
async function listed(): Promise<readonly CronTask[]> {
  const list = await run('dokku', ['cron:list', '--global', '--format', 'json'], { env: { DOKKU_TRACE: '', DOKKU_QUIET_OUTPUT: '' } });
  try {
    return v.parse(tasks, JSON.parse(list.stdout));
  } catch (cause) {
    throw new PgbackupError('dokku', `dokku cron:list failed (exit ${list.exitCode ?? 'by a signal'}): ${list.stderr.trim()}`, { cause });
  }
}

/** The tasks of a crontab as Dokku writes it: `SCHEDULE COMMAND[ &>> LOG]`. */
export function parseCrontab(text: string): readonly CronTask[] {
  return text.split('\n').flatMap((line) => {
    const [, schedule, command] = /^(@[a-z]+|[0-9*](?:\S* +){4}\S+) +([^ ].*?)(?: +(?:&>>|>>) .*)?$/.exec(line) ?? [];
    return schedule === undefined || command === undefined ? [] : [{ schedule, command }];
  });
}
