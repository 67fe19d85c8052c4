import { chmodSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { parseFigures, type ServiceFigures } from '../domain/figures.ts';
import type { ServiceName } from '../domain/names.ts';
import type { Monitoring } from '../ports.ts';
import { isMissing, onDisk, readIfThere, removeDurably, writeDurably } from './files.ts';
import { serviceState } from './state.ts';

const toldSchema = v.array(v.string());

/** Figures in a file a service; what was told in one for all. */
export class FileMonitoring implements Monitoring {
  readonly #state: string;

  constructor(state: string) {
    this.#state = state;
  }

  async figures(): Promise<readonly ServiceFigures[]> {
    const services = join(this.#state, 'services');
    let names: string[];
    try {
      names = readdirSync(services).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    return names
      .map((name) => parseFigures(readIfThere(join(services, name, 'figures.json')) ?? ''))
      .filter((figures) => figures !== undefined);
  }

  async keepFigures(service: ServiceName, figures: ServiceFigures | undefined): Promise<void> {
    const path = join(serviceState(this.#state, service), 'figures.json');
    if (figures) writeDurably(path, `${JSON.stringify(figures)}\n`);
    else removeDurably(path);
  }

  async toldOverdue(): Promise<readonly string[]> {
    try {
      return v.parse(toldSchema, JSON.parse(readIfThere(this.#told) ?? '[]'));
    } catch {
      // To tell once too often is better than never.
      return [];
    }
  }

  async keepToldOverdue(told: readonly string[]): Promise<void> {
    writeDurably(this.#told, `${JSON.stringify(told)}\n`);
  }

  async publish(directory: string, text: string): Promise<void> {
    const path = join(directory, 'pgbackup.prom');
    // Its own for each process; not *.prom, which the collector would read half written.
    const temporary = `${path}.${process.pid}`;
    onDisk(path, () => {
      try {
        writeFileSync(temporary, text, { mode: 0o644 });
        // Whatever the umask: the collector is another user.
        chmodSync(temporary, 0o644);
        renameSync(temporary, path);
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
    });
  }

  get #told(): string {
    return join(this.#state, 'overdue.json');
  }
}
