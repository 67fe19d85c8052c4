import { readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { PgbackupError } from '../../domain/errors.ts';
import { parseStorageConfig, type StorageConfig } from '../../domain/storage-config.ts';
import { isStorageName, localStorage, type StorageName } from '../../domain/storage-name.ts';
import type { Storage, StorageFinding, StorageKeys, Storages } from '../../ports.ts';
import { isMissing, onDisk, readIfThere, removeDurably, syncFolder, writeDurably } from '../files.ts';
import type { Paths } from '../paths.ts';
import { parseS3Config } from '../../domain/s3-config.ts';
import { checkLocal } from './check-local.ts';
import { LocalStorage } from './local.ts';
import { ManifestLog } from './manifest-log.ts';
import { RememberingStorage } from './remembering.ts';
import type { S3Options } from './s3/options.ts';
import { openS3Storage } from './s3/s3.ts';

const keysSchema = v.object({ accessKeyId: v.string(), secretAccessKey: v.string() });

/** The storages of this host: a folder each, with how it is set up and, apart from it, its keys; both for user dokku alone. */
export class FileStorages implements Storages {
  readonly #paths: Paths;

  readonly #s3Options: S3Options;

  /** @param metadataEndpoint of the instance metadata service, where it is not the one that AWS gives it. */
  constructor(paths: Paths, metadataEndpoint?: string) {
    this.#paths = paths;
    this.#s3Options = metadataEndpoint ? { metadataEndpoint } : {};
  }

  open(name: StorageName, backupDir: string | undefined): Storage {
    if (name === localStorage) return new LocalStorage(backupDir ?? this.#paths.backups, backupDir !== undefined);
    const config = this.config(name);
    if (config.kind === 'local') return new LocalStorage(config.path, true, name);
    return new RememberingStorage(openS3Storage(name, config, this.#keys(name), this.#s3Options), new ManifestLog(this.#log(name)));
  }

  identity(name: StorageName, backupDir: string | undefined): string {
    const config = name === localStorage ? undefined : this.config(name);
    if (config?.kind === 's3') return `${config.endpoint ?? config.region} ${config.bucket}/${config.prefix}`;
    const { place } = this.open(name, backupDir);
    try {
      return realpathSync(place);
    } catch {
      // Not there: told by whoever uses it.
      return place;
    }
  }

  list(): readonly StorageName[] {
    try {
      return readdirSync(this.#paths.storages).filter(isStorageName).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  config(name: StorageName): StorageConfig {
    const path = this.#file(name, 'config.json');
    const text = readIfThere(path);
    if (text !== undefined) return parseStorageConfig(text, path);
    const known = ['local', ...this.list()].join(', ');
    throw new PgbackupError('not-found', `There is no storage called "${name}"`, {
      hint: `There are: ${known}. To make it: dokku pgbackup:storage-create ${name} s3 --bucket <bucket> …`,
    });
  }

  async write(name: StorageName, config: StorageConfig): Promise<void> {
    writeDurably(this.#file(name, 'config.json'), `${JSON.stringify(config, undefined, 1)}\n`);
    // A secret that opens nothing any more must not lie about.
    if (config.kind !== 's3' || config.auth.kind !== 'keys') removeDurably(this.#file(name, 'keys.json'));
  }

  async writeKeys(name: StorageName, keys: StorageKeys): Promise<void> {
    writeDurably(this.#file(name, 'keys.json'), `${JSON.stringify(keys)}\n`);
  }

  keyId(name: StorageName): string | undefined {
    return this.#keys(name)?.accessKeyId;
  }

  async remove(name: StorageName): Promise<void> {
    const folder = join(this.#paths.storages, name);
    onDisk(folder, () => {
      rmSync(this.#log(name), { force: true });
      // The keys first: should it end in between, what is left can be removed again, and opens nothing.
      rmSync(join(folder, 'keys.json'), { force: true });
      rmSync(folder, { recursive: true, force: true });
      syncFolder(this.#paths.storages);
    });
  }

  async check(name: StorageName, backupDir: string | undefined, signal: AbortSignal): Promise<readonly StorageFinding[]> {
    const config = name === localStorage ? undefined : this.config(name);
    if (config?.kind !== 's3') return checkLocal(this.open(name, backupDir));
    const { checkS3 } = await import('./s3/check.ts');
    return checkS3(name, config, this.#keys(name), signal, this.#s3Options);
  }

  openAddress(name: StorageName, address: string): { readonly storage: Storage; readonly key: string } {
    const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(address) ?? [];
    const config = this.config(name);
    if (config.kind !== 's3')
      throw new PgbackupError('usage', `${address} is an object of a bucket, and storage ${name} is a directory of this host`);
    return { storage: openS3Storage(name, parseS3Config({ ...config, bucket, prefix: '' }, name), this.#keys(name), this.#s3Options), key };
  }

  #log(name: StorageName): string {
    return join(this.#paths.data, 'cache', `${name}.manifests`);
  }

  #file(name: StorageName, file: string): string {
    return join(this.#paths.storages, name, file);
  }

  #keys(name: StorageName): StorageKeys | undefined {
    const path = this.#file(name, 'keys.json');
    const text = readIfThere(path);
    if (text === undefined) return undefined;
    try {
      return v.parse(keysSchema, JSON.parse(text));
    } catch {
      // Not the cause: valibot and JSON.parse quote what they read.
      throw new PgbackupError('storage', `The keys of storage ${name} cannot be read: ${path}`, {
        hint: `Give them again: printf 'KEY\\nSECRET\\n' | dokku pgbackup:storage-auth ${name}`,
      });
    }
  }
}
