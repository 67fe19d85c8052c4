import { PgbackupError } from '../../src/domain/errors.ts';
import type { ServiceName } from '../../src/domain/names.ts';
import { commandOf, formatScheduleFile, parseScheduleFile, type ScheduleEntry } from '../../src/domain/schedule-entry.ts';
import type { Cron, CronTask, ScheduleProblem, Schedules, Slots, Wait } from '../../src/ports.ts';
import type { Faults } from './faults.ts';

/** The schedules of a host and its crontab. */
export interface ScheduleState {
  /** Files by service. */
  readonly files: Map<ServiceName, string>;
  crontab: readonly CronTask[];
  /** What the other plugins print: their lines, or what spoils the crontab for all. */
  others: readonly CronTask[] | 'a bad line' | 'a blank line';
  /** Places of scheduled runs that other processes have. */
  taken: number;
  /** What others do while somebody waits for them. */
  meanwhile: () => Promise<void>;
}

export function noSchedules(): ScheduleState {
  return { files: new Map(), crontab: [], others: [], taken: 0, meanwhile: async () => {} };
}

function read(state: ScheduleState): { entries: ScheduleEntry[]; problems: ScheduleProblem[] } {
  const entries: ScheduleEntry[] = [];
  const problems: ScheduleProblem[] = [];
  for (const [service, text] of state.files) {
    try {
      entries.push(...parseScheduleFile(text, service, 'twin'));
    } catch (error) {
      if (!(error instanceof PgbackupError)) throw error;
      problems.push({ service, error });
    }
  }
  return { entries, problems };
}

export function twinSchedules(state: ScheduleState, faults: Faults): Schedules {
  return {
    list: () => faults.call('schedules.list', () => read(state)),
    write: (service, entries) =>
      faults.call('schedules.write', () => {
        if (entries.length === 0) state.files.delete(service);
        else state.files.set(service, formatScheduleFile(entries));
      }),
    lock: () => faults.call('schedules.lock', () => ({ [Symbol.asyncDispose]: async () => {} })),
  };
}

/** As Dokku writes it: a blank line leaves nothing, a bad one leaves all as it was. */
export function twinCron(state: ScheduleState, faults: Faults): Cron {
  return {
    apply: () =>
      faults.call('cron.apply', () => {
        if (state.others === 'a bad line') throw new PgbackupError('dokku', 'Dokku could not write its crontab: bad schedule 61 * * * *');
        const ours = read(state).entries.map((entry) => ({ schedule: entry.cron, command: commandOf(entry) }));
        state.crontab = state.others === 'a blank line' ? [] : [...ours, ...state.others];
      }),
    installed: () => faults.call('cron.installed', () => state.crontab),
  };
}

/** Time does not pass in a world by itself: what happens while somebody waits is `meanwhile`, and then the time is over. */
export async function waitFor(state: Pick<ScheduleState, 'meanwhile'>, isFree: () => boolean, wait: Wait, reason: string): Promise<void> {
  wait.waiting(reason);
  await state.meanwhile();
  wait.signal.throwIfAborted();
  if (!isFree()) throw new PgbackupError('locked', reason);
}

export function twinSlots(state: ScheduleState, faults: Faults): Slots {
  return {
    take: (count, wait) =>
      faults.call('slots.take', async () => {
        if (state.taken >= count)
          await waitFor(state, () => state.taken < count, wait, `${count} scheduled runs are under way on this host`);
        state.taken += 1;
        return { [Symbol.asyncDispose]: async () => void (state.taken -= 1) };
      }),
  };
}
