import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { ServiceName } from '../domain/names.ts';
import { formatScheduleFile, lineOf, parseScheduleFile, type ScheduleEntry } from '../domain/schedule-entry.ts';
import type { ScheduleProblem, Schedules } from '../ports.ts';
import { isMissing, onDisk, readIfThere, removeDurably, writeDurably } from './files.ts';
import { lockFile } from './flock.ts';

/** Seconds in which a change of the schedules is done, that of Dokku's crontab included. */
const patience = 60;

/**
 * A file a service, and beside them the lines of all in `crontab`, ready for the trigger cron-entries: that one must
 * answer also where no Node runs any more.
 */
export class FileSchedules implements Schedules {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async list(): Promise<{ readonly entries: readonly ScheduleEntry[]; readonly problems: readonly ScheduleProblem[] }> {
    const entries: ScheduleEntry[] = [];
    const problems: ScheduleProblem[] = [];
    for (const file of this.#files()) {
      const service = file.replace(/\.json$/, '');
      const path = join(this.#folder, file);
      try {
        // Gone meanwhile: its service was destroyed.
        const text = readIfThere(path);
        if (text !== undefined) entries.push(...parseScheduleFile(text, service, path));
      } catch (cause) {
        const error =
          cause instanceof PgbackupError ? cause : new PgbackupError('storage', `Cannot read ${path}: ${messageOf(cause)}`, { cause });
        problems.push({ service, error });
      }
    }
    return { entries, problems };
  }

  async write(service: ServiceName, entries: readonly ScheduleEntry[]): Promise<void> {
    const path = join(this.#folder, `${service}.json`);
    if (entries.length === 0) removeDurably(path);
    else writeDurably(path, formatScheduleFile(entries));
    await this.#prepareCrontab();
  }

  async lock(): Promise<AsyncDisposable> {
    const path = join(this.#folder, '.lock');
    const fd = onDisk(path, () => {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      return openSync(path, 'a', 0o600);
    });
    if (await lockFile(fd, { wait: patience })) return { [Symbol.asyncDispose]: async () => closeSync(fd) };
    closeSync(fd);
    throw new PgbackupError('locked', 'Another command is changing the schedules', { hint: 'Try again in a minute' });
  }

  #files(): string[] {
    try {
      return readdirSync(this.#folder)
        .filter((file) => file.endsWith('.json'))
        .toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async #prepareCrontab(): Promise<void> {
    const path = join(this.#folder, 'crontab');
    const { entries, problems } = await this.list();
    // What a damaged file had scheduled goes on: a backup too many is better than one too few.
    const kept = (readIfThere(path) ?? '')
      .split('\n')
      .filter((line) => problems.some(({ service }) => line.includes(`;dokku pgbackup:run ${service} --schedule `)));
    writeDurably(path, [...entries.map(lineOf), ...kept].map((line) => `${line}\n`).join(''));
  }
}
