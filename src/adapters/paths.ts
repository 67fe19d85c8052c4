import { join, resolve, sep } from 'node:path';

/** Where things lie on a Dokku host, from the environment that Dokku gives its plugins. */
export class Paths {
  readonly #libRoot: string;
  readonly #libHostRoot: string;
  /** Of the plugin: state, spool, and the default local storage. */
  readonly data: string;
  /** Where Dokku's plugins keep their properties. */
  readonly config: string;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#libRoot = resolve(env['DOKKU_LIB_ROOT'] || '/var/lib/dokku');
    this.#libHostRoot = resolve(env['DOKKU_LIB_HOST_ROOT'] || this.#libRoot);
    this.data = join(this.#libRoot, 'data', 'pgbackup');
    this.config = join(this.#libRoot, 'config', 'pgbackup');
  }

  get state(): string {
    return join(this.data, 'state');
  }

  /** How each storage is set up, and its keys. */
  get storages(): string {
    return join(this.data, 'storages');
  }

  get schedules(): string {
    return join(this.data, 'schedules');
  }

  get spool(): string {
    return join(this.data, 'spool');
  }

  get backups(): string {
    return join(this.data, 'backups');
  }

  /**
   * The path by which the Docker daemon knows a path of ours. They differ when Dokku itself runs in a
   * container; then only what lies below Dokku's own folder is known to the host, and the rest gives undefined.
   */
  onHost(path: string): string | undefined {
    if (this.#libRoot === this.#libHostRoot) return path;
    return path.startsWith(this.#libRoot + sep) ? this.#libHostRoot + path.slice(this.#libRoot.length) : undefined;
  }
}
