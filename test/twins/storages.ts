import { MemoryStorage } from '../../src/adapters/storage/memory.ts';
import type { StorageConfig } from '../../src/domain/storage-config.ts';
import { PgbackupError } from '../../src/domain/errors.ts';
import { localStorage, type StorageName } from '../../src/domain/storage-name.ts';
import type { Storage, StorageFinding, StorageKeys, Storages } from '../../src/ports.ts';
import type { Faults } from './faults.ts';
import { FaultyStorage } from './faulty-storage.ts';

/** The storages of a host, and what lies in them. */
export interface StorageState {
  readonly storage: Storage;
  /** Further ones by name. */
  readonly others: Map<StorageName, Storage>;
  readonly storageConfigs: Map<StorageName, StorageConfig>;
  readonly storageKeys: Map<StorageName, StorageKeys>;
  /** What a check of any of them finds. */
  findings: readonly StorageFinding[];
}

/** The storages of a world: each call of one that is not `local` can be told by its name in front. One that is made is empty. */
export function twinStorages(state: StorageState, faults: Faults): Storages {
  const { others, storageConfigs: configs, storageKeys: keys } = state;
  const open = (name: StorageName): Storage => {
    const inner = name === localStorage ? state.storage : others.get(name);
    if (!inner) throw new PgbackupError('not-found', `There is no storage called "${name}"`);
    return new FaultyStorage(inner, faults, name === localStorage ? 'storage' : name);
  };
  return {
    open,
    identity: (name) => name,
    list: () => [...others.keys()],
    config: (name) => {
      const found = configs.get(name);
      if (!found) throw new PgbackupError('not-found', `There is no storage called "${name}"`);
      return found;
    },
    write: (name, config) =>
      faults.call(`storages.write ${name}`, () => {
        configs.set(name, config);
        if (!others.has(name)) others.set(name, new MemoryStorage(name));
      }),
    writeKeys: (name, written) => faults.call(`storages.writeKeys ${name}`, () => void keys.set(name, written)),
    keyId: (name) => keys.get(name)?.accessKeyId,
    remove: (name) =>
      faults.call(`storages.remove ${name}`, () => {
        for (const map of [keys, configs, others]) map.delete(name);
      }),
    check: (name) => faults.call(`storages.check ${name}`, () => state.findings),
    openAddress: (name, address) => ({ storage: open(name), key: address.replace(/^s3:\/\/[^/]+\//, '') }),
  };
}
