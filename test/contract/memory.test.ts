import { MemoryStorage } from '../../src/adapters/storage/memory.ts';
import { Faults } from '../twins/faults.ts';
import { FaultyStorage } from '../twins/faulty-storage.ts';
import { describeStorageContract } from './storage.ts';

describeStorageContract('memory', async () => ({ storage: new MemoryStorage(), [Symbol.asyncDispose]: async () => {} }));

// A decorator that breaks a promise by itself would make every test that leans on it worthless.
describeStorageContract('faulty, with no fault in it', async () => ({
  storage: new FaultyStorage(new MemoryStorage(), new Faults()),
  [Symbol.asyncDispose]: async () => {},
}));
