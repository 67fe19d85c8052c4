import { PgbackupError } from '../../src/domain/errors.ts';
import { parseJournal, type Journal } from '../../src/domain/journal.ts';
import { isServiceName, type ServiceName } from '../../src/domain/names.ts';
import { parsePrevious, type PreviousDatabase } from '../../src/domain/previous.ts';
import type { Journals, Locks, LogEntry, OperationLog, PreviousDatabases, SettingsStore, Spool, Spools } from '../../src/ports.ts';
import type { Faults } from './faults.ts';
import { waitFor, type ScheduleState } from './schedules.ts';

/** What the disk of the host keeps. Texts rather than objects: what is read back went through its parser, as it does from a file. */
export interface DiskState {
  readonly journals: Map<ServiceName, string>;
  readonly previous: Map<ServiceName, string>;
  readonly log: LogEntry[];
  readonly settings: Map<string, Map<string, string>>;
  readonly spools: Set<string>;
}

export function twinJournals(disk: DiskState, faults: Faults): Journals {
  return {
    read: (service) =>
      faults.call('journals.read', () => {
        const text = disk.journals.get(service);
        return text === undefined ? undefined : parseJournal(text, 'twin');
      }),
    write: (service, journal: Journal) =>
      faults.call(
        `journals.write ${journal.kind === 'backup' ? 'backup' : journal.step}`,
        () => void disk.journals.set(service, JSON.stringify(journal)),
      ),
    clear: (service) => faults.call('journals.clear', () => void disk.journals.delete(service)),
  };
}

export function twinPrevious(disk: DiskState, faults: Faults): PreviousDatabases {
  return {
    read: (service) =>
      faults.call('previous.read', () => {
        const text = disk.previous.get(service);
        return text === undefined ? undefined : parsePrevious(text, 'twin');
      }),
    write: (service, previous: PreviousDatabase) =>
      faults.call('previous.write', () => void disk.previous.set(service, JSON.stringify(previous))),
    clear: (service) => faults.call('previous.clear', () => void disk.previous.delete(service)),
  };
}

/** Writing never throws, as the port says; of a dead process it writes nothing. */
export function twinLog(disk: DiskState, faults: Faults): OperationLog {
  return {
    append: async (entry) => {
      if (!faults.dead) disk.log.push(entry);
    },
    read: async () => disk.log,
  };
}

export function twinSettings(disk: DiskState, faults: Faults): SettingsStore {
  return {
    read: (scope) => faults.call(`settings.read ${scope}`, () => disk.settings.get(scope) ?? new Map<string, string>()),
    write: (scope, key, value) =>
      faults.call(`settings.write ${scope}`, () => {
        const own = disk.settings.get(scope) ?? new Map<string, string>();
        if (value === undefined) own.delete(key);
        else own.set(key, value);
        disk.settings.set(scope, own);
      }),
    scopes: async () => [...disk.settings.keys()].filter(isServiceName).toSorted(),
  };
}

/** Folders held by the process that opened them: those of an earlier one are anybody's to reclaim. */
export function twinSpools(disk: DiskState, faults: Faults): Spools {
  const ours = new Set<string>();
  return {
    open: async (operation): Promise<Spool> => {
      // Closed with its process; the folder of a killed one stays.
      const remove = async (): Promise<void> => {
        if (!faults.dead) disk.spools.delete(operation);
      };
      const make = (): Spool => {
        ours.add(operation);
        disk.spools.add(operation);
        return { path: `/spool/${operation}`, operation, [Symbol.asyncDispose]: remove };
      };
      try {
        return await faults.call('spools.open', make);
      } catch (error) {
        await remove();
        throw error;
      }
    },
    reclaim: (before) =>
      faults.call('spools.reclaim', async () => {
        for (const operation of [...disk.spools].filter((candidate) => !ours.has(candidate))) {
          await before(operation);
          disk.spools.delete(operation);
        }
      }),
  };
}

/** Locks that die with their process: `held` is made anew for each. */
export function twinLocks(held: Map<string, string>, faults: Faults, others: Pick<ScheduleState, 'meanwhile'>): Locks {
  const take = (key: string, purpose: string): AsyncDisposable => {
    held.set(key, purpose);
    return { [Symbol.asyncDispose]: async () => void held.delete(key) };
  };
  return {
    acquire: (service, purpose, wait) =>
      faults.call('locks.acquire', async () => {
        const holder = held.get(service);
        const busy = `Service ${service} is busy: ${holder}`;
        if (holder !== undefined && !wait) throw new PgbackupError('locked', busy);
        if (holder !== undefined && wait) await waitFor(others, () => !held.has(service), wait, busy);
        return take(service, purpose);
      }),
    reading: (service, id, purpose) => faults.call('locks.reading', () => take(`${service} ${id}`, purpose)),
    removing: (service, id) =>
      faults.call('locks.removing', () => {
        const reader = held.get(`${service} ${id}`);
        if (reader !== undefined) throw new PgbackupError('locked', `Backup ${id} is being read by ${reader}`);
        return { [Symbol.asyncDispose]: async () => {} };
      }),
    readers: (service) =>
      faults.call(
        'locks.readers',
        () => new Map([...held].flatMap(([key, by]) => (key.startsWith(`${service} `) ? [[key.slice(service.length + 1), by]] : []))),
      ),
  };
}
