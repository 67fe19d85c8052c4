import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import { createBackup } from '../../../src/app/backup.ts';
import { archiveKey, readCatalog } from '../../../src/app/catalog.ts';
import { copyBackups, type CopyReport } from '../../../src/app/copy.ts';
import { hashStored } from '../../../src/app/copies.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { parseStorageName } from '../../../src/domain/storage-name.ts';
import type { Storage } from '../../../src/ports.ts';
import { keysIn } from '../../tools/bytes.ts';
import { Faults } from '../../twins/faults.ts';
import { shop, World } from '../../twins/world.ts';

const offsite = parseStorageName('offsite');

async function worldWith(count: number): Promise<{ world: World; other: Storage; ids: string[] }> {
  const world = new World();
  const other = new MemoryStorage('offsite');
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const { manifest } = await createBackup(world.boot().ports, {
      target: 'shop',
      labels: {},
      note: null,
      schemas: [],
      toolVersion: '0.1.0',
    });
    ids.push(manifest.id);
    world.advance(60);
  }
  world.others.set(offsite, other);
  return { world, other, ids };
}

function copy(world: World, id?: string, faults?: Faults): Promise<CopyReport> {
  return copyBackups(world.boot(faults).ports, { service: shop, id, to: offsite, from: undefined });
}

describe('copying backups to another storage', () => {
  it('brings all that it lacks, the same to the byte, and the second time nothing', async () => {
    const { world, other, ids } = await worldWith(3);
    expect((await copy(world)).copied.map(({ id }) => id)).toEqual(ids);
    expect(await keysIn(other, '')).toEqual(await keysIn(world.storage, ''));
    for (const key of await keysIn(other, '')) expect(await hashStored(other, key)).toEqual(await hashStored(world.storage, key));
    expect(await copy(world)).toEqual({ copied: [], failed: [] });
  });

  it('brings the one that is named', async () => {
    const { world, other, ids } = await worldWith(3);
    await copy(world, ids[1]);
    expect((await readCatalog([other], 'shop')).entries.map(({ manifest }) => manifest.id)).toEqual([ids[1]]);
    await expect(copy(world, 'shop-20250101T000000Z-0000')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('copies no archive that is damaged, and the others all the same', async () => {
    const { world, other, ids } = await worldWith(2);
    const [entry] = (await readCatalog([world.storage], 'shop')).entries;
    if (!entry) throw new Error('there is no backup');
    const key = archiveKey(entry);
    const bytes = Buffer.concat(await (await world.storage.get(key)).toArray());
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await world.storage.put(
      key,
      (async function* () {
        yield bytes;
      })(),
    );
    const { copied, failed } = await copy(world);
    expect(copied.map(({ id }) => id)).toEqual([ids[1]]);
    expect(failed).toEqual([{ id: ids[0], message: expect.stringContaining('is damaged') }]);
    expect((await readCatalog([other], 'shop')).entries.map(({ manifest }) => manifest.id)).toEqual([ids[1]]);
    expect(await keysIn(other, '')).toHaveLength(2);
  });

  it('lists nothing there that is not whole, whichever call fails or is its last', async () => {
    const probe = await worldWith(1);
    const { faults } = probe.world.boot();
    await copyBackups({ ...probe.world.boot(faults).ports }, { service: shop, id: undefined, to: offsite, from: undefined });
    expect(faults.calls.filter((call) => call.startsWith('offsite.put'))).toHaveLength(2);
    for (const scope of ['once', 'process'] as const) {
      for (const effect of ['none', 'whole'] as const) {
        for (let index = 0; index < faults.calls.length; index += 1) {
          const { world, other } = await worldWith(1);
          await copy(world, undefined, new Faults({ index, effect, scope })).catch(() => {});
          const { entries, problems } = await readCatalog([other], 'shop');
          expect(problems).toEqual([]);
          for (const entry of entries)
            expect((await hashStored(other, archiveKey(entry))).sha256).toBe(entry.manifest.archive.storedSha256);
          // What is left is written over by the next one.
          await copy(world);
          expect((await readCatalog([other], 'shop')).entries).toHaveLength(1);
        }
      }
    }
  });

  it('takes no backups of other hosts along, except the one that is named', async () => {
    const { world, other, ids } = await worldWith(1);
    world.hostId = 'host-b';
    expect(await copy(world)).toEqual({ copied: [], failed: [] });
    await copy(world, ids[0]);
    expect((await readCatalog([other], 'shop')).entries).toHaveLength(1);
  });

  it('has to be told from where, when the service has no other storage', async () => {
    const { world } = await worldWith(1);
    world.disk.settings.set(shop, new Map([['storages', 'offsite']]));
    await expect(copy(world)).rejects.toMatchObject({ code: 'usage', hint: expect.stringContaining('--storage') });
  });
});

describe('what lies in the other storage already', () => {
  it('is neither written over nor taken back when it cannot be read', async () => {
    const { world, other, ids } = await worldWith(1);
    await copy(world);
    const unreadable = new Proxy(other, {
      get: (target, key) =>
        key === 'readText'
          ? async () => {
              throw new PgbackupError('storage', 'AccessDenied');
            }
          : (Reflect.get(target, key).bind?.(target) ?? Reflect.get(target, key)),
    });
    world.others.set(offsite, unreadable);
    expect((await copy(world)).failed).toEqual([{ id: ids[0], message: expect.stringContaining('offsite has a manifest of') }]);
    world.others.set(offsite, other);
    const [entry] = (await readCatalog([other], 'shop')).entries;
    if (!entry) throw new Error('the copy is gone');
    expect((await hashStored(other, archiveKey(entry))).sha256).toBe(entry.manifest.archive.storedSha256);
  });

  it('two that copy the same backup to the same storage do not both write it', async () => {
    const { world, ids } = await worldWith(1);
    const { ports } = world.boot();
    const locks = {
      ...ports.locks,
      removing: async () => {
        throw new PgbackupError('locked', 'somebody has it');
      },
    };
    const { copied, failed } = await copyBackups({ ...ports, locks }, { service: shop, id: undefined, to: offsite, from: undefined });
    expect(copied).toEqual([]);
    expect(failed).toEqual([{ id: ids[0], message: `Backup ${ids[0]} is being copied to offsite by another command` }]);
  });
});
