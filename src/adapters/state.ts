/** The small files that this program keeps about each service, all written durably. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseJournal, type Journal } from '../domain/journal.ts';
import type { ServiceName } from '../domain/names.ts';
import { parsePrevious, type PreviousDatabase } from '../domain/previous.ts';
import * as v from 'valibot';
import type { Journals, LogEntry, OperationLog, PreviousDatabases } from '../ports.ts';
import { readIfThere, removeDurably, writeDurably } from './files.ts';

/** Folder of what is kept about one service. */
export function serviceState(state: string, service: ServiceName): string {
  return join(state, 'services', service);
}

export class FileJournals implements Journals {
  readonly #state: string;

  constructor(state: string) {
    this.#state = state;
  }

  async read(service: ServiceName): Promise<Journal | undefined> {
    const text = readIfThere(this.#path(service));
    return text === undefined ? undefined : parseJournal(text, this.#path(service));
  }

  async write(service: ServiceName, journal: Journal): Promise<void> {
    writeDurably(this.#path(service), `${JSON.stringify(journal)}\n`);
  }

  async clear(service: ServiceName): Promise<void> {
    removeDurably(this.#path(service));
  }

  #path(service: ServiceName): string {
    return join(serviceState(this.#state, service), 'journal.json');
  }
}

export class FilePreviousDatabases implements PreviousDatabases {
  readonly #state: string;

  constructor(state: string) {
    this.#state = state;
  }

  async read(service: ServiceName): Promise<PreviousDatabase | undefined> {
    const text = readIfThere(this.#path(service));
    return text === undefined ? undefined : parsePrevious(text, this.#path(service));
  }

  async write(service: ServiceName, previous: PreviousDatabase): Promise<void> {
    writeDurably(this.#path(service), `${JSON.stringify(previous)}\n`);
  }

  async clear(service: ServiceName): Promise<void> {
    removeDurably(this.#path(service));
  }

  #path(service: ServiceName): string {
    return join(serviceState(this.#state, service), 'previous.json');
  }
}

const entrySchema = v.object({
  time: v.string(),
  service: v.string(),
  operation: v.string(),
  id: v.nullable(v.string()),
  outcome: v.picklist(['ok', 'partial', 'failed', 'recovered']),
  seconds: v.number(),
  message: v.string(),
});

/** One line of JSON for every operation, in one file of the host. */
export class FileOperationLog implements OperationLog {
  readonly #path: string;

  constructor(state: string) {
    this.#path = join(state, 'log.jsonl');
  }

  async append(entry: LogEntry): Promise<void> {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      // One write of one line: lines of commands that end at the same moment do not mix.
      appendFileSync(this.#path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not turn a good backup into a failed one; the command's own output tells what was done.
    }
  }

  async read(): Promise<readonly LogEntry[]> {
    const lines = (readIfThere(this.#path) ?? '').split('\n').filter(Boolean);
    // A line that a power loss cut short is left out.
    return lines.flatMap((line) => {
      try {
        return [v.parse(entrySchema, JSON.parse(line))];
      } catch {
        return [];
      }
    });
  }
}
