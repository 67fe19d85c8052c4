import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isServiceName, type ServiceName } from '../domain/names.ts';
import type { SettingsStore } from '../ports.ts';
import { isMissing, readIfThere, removeDurably, writeDurably } from './files.ts';

/** Settings as Dokku keeps the properties of a plugin: a file a key, in a folder a service, `--global` for all. */
export class PropertyFiles implements SettingsStore {
  readonly #config: string;

  constructor(config: string) {
    this.#config = config;
  }

  async read(scope: ServiceName | '--global'): Promise<ReadonlyMap<string, string>> {
    const folder = join(this.#config, scope);
    let keys: string[];
    try {
      keys = readdirSync(folder).filter((key) => !key.endsWith('.partial'));
    } catch (error) {
      if (isMissing(error)) return new Map();
      throw error;
    }
    return new Map(keys.map((key) => [key, (readIfThere(join(folder, key)) ?? '').replace(/\n$/, '')]));
  }

  async scopes(): Promise<readonly ServiceName[]> {
    try {
      return readdirSync(this.#config).filter(isServiceName).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async write(scope: ServiceName | '--global', key: string, value: string | undefined): Promise<void> {
    const folder = join(this.#config, scope);
    if (value === undefined) {
      removeDurably(join(folder, key));
      return;
    }
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeDurably(join(folder, key), `${value}\n`);
  }
}
