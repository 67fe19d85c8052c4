import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import { createBackup } from '../../../src/app/backup.ts';
import { findBackup, latestBackup, newestOf, readCatalog, surelyLatest, type Catalog } from '../../../src/app/catalog.ts';
import { deleteBackup, deleteUnreadable } from '../../../src/app/delete.ts';
import { mustDiffer } from '../../../src/app/storages.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { formatManifest, type Manifest, parseManifest } from '../../../src/domain/manifest.ts';
import { localStorage, parseStorageName } from '../../../src/domain/storage-name.ts';
import type { Storage } from '../../../src/ports.ts';
import { chunksOf, keysIn } from '../../tools/bytes.ts';
import { shop, World } from '../../twins/world.ts';

/** @returns the id. */
async function take(world: World): Promise<string> {
  const request = { target: 'shop', labels: {}, note: null, schemas: [], toolVersion: '0.1.0' };
  return (await createBackup(world.boot().ports, request)).manifest.id;
}

async function worldWith(count: number): Promise<{ world: World; ids: string[] }> {
  const world = new World();
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    ids.push(await take(world));
    world.advance(3600);
  }
  return { world, ids };
}

async function rewrite(storage: Storage, key: string, change: (text: string) => string): Promise<void> {
  await storage.put(key, chunksOf(Buffer.from(change(await storage.readText(key)))));
}

const force = { confirm: undefined, force: true };
const byName = (name: string): { confirm: string; force: boolean } => ({ confirm: name, force: false });

describe('the newest backup', () => {
  it('is not one that is dated in the future, unless there is no other (pitfall 24)', async () => {
    const { world } = await worldWith(0);
    world.advance(1_000_000_000);
    const ids = [await take(world)];
    world.advance(-1_000_000_000);
    ids.push(await take(world));
    const catalog = await readCatalog([world.storage], 'shop');
    const now = world.boot().ports.clock.now();
    expect(latestBackup(catalog, 'shop', 'host-a', now).manifest.id).toBe(ids[1]);
    const alone: Catalog = { ...catalog, entries: catalog.entries.filter(({ manifest }) => manifest.id === ids[0]) };
    expect(newestOf(alone, 'host-a', now)?.manifest.id).toBe(ids[0]);
    // It is the one before it that must not be deleted by mistake.
    const { ports } = world.boot();
    await expect(
      deleteBackup(ports, catalog, findBackup(catalog, 'shop', ids[1] ?? '', 'host-a'), byName(ids[1] ?? '')),
    ).rejects.toMatchObject({
      code: 'refused',
    });
  });

  it('is not restored while a storage is away that may hold a newer one: an older one in its place is a silent loss', async () => {
    const { world, ids } = await worldWith(1);
    const away = new Proxy(new MemoryStorage('offsite'), {
      get: (target, key) =>
        key === 'list'
          ? () => {
              throw new PgbackupError('storage', 'ECONNREFUSED');
            }
          : (Reflect.get(target, key).bind?.(target) ?? Reflect.get(target, key)),
    });
    const catalog = await readCatalog([world.storage, away], 'shop');
    const now = world.boot().ports.clock.now();
    expect(latestBackup(catalog, 'shop', 'host-a', now).manifest.id).toBe(ids[0]);
    expect(() => surelyLatest(catalog, 'shop', 'host-a', now)).toThrow(
      expect.objectContaining({
        code: 'storage',
        message: `offsite cannot be read, and may hold a newer backup than ${ids[0]}: ECONNREFUSED`,
        hint: expect.stringContaining('--storage local'),
      }),
    );
    expect(findBackup(catalog, 'shop', ids[0] ?? '', 'host-a').manifest.id).toBe(ids[0]);
  });
});

/** What another host, or somebody with the keys, has put beside the backups of host-a. */
async function forge(world: World, from: string, host: string, change: Partial<Manifest> = {}): Promise<void> {
  const manifest = parseManifest(await world.storage.readText(`host-a/shop/${from}/manifest.json`), 'test');
  await world.storage.put(`${host}/shop/${from}/archive.dump`, chunksOf(Buffer.from('forged')));
  const text = formatManifest({ ...manifest, host, ...change });
  await world.storage.put(`${host}/shop/${from}/manifest.json`, chunksOf(Buffer.from(text)));
}

describe('a backup by its id', () => {
  it("is the host's own, whatever others have put there under the same id", async () => {
    const { world, ids } = await worldWith(1);
    const id = ids[0] ?? '';
    await forge(world, id, 'aaa');
    await forge(world, id, 'zzz');
    const catalog = await readCatalog([world.storage], 'shop');
    expect(catalog.entries).toHaveLength(3);
    expect(findBackup(catalog, 'shop', id, 'host-a').folder).toBe(`host-a/shop/${id}/`);
    expect(() => findBackup(catalog, 'shop', id, 'host-b')).toThrow(
      expect.objectContaining({ code: 'refused', message: expect.stringContaining('Several hosts have a backup') }),
    );
  });

  it('is none where its manifest tells another time', async () => {
    const { world, ids } = await worldWith(2);
    await forge(world, ids[0] ?? '', 'host-a', { startedAt: '2026-11-20T09:00:00.000Z' });
    const { entries, problems } = await readCatalog([world.storage], 'shop');
    expect(entries.map(({ manifest }) => manifest.id)).toEqual([ids[1]]);
    expect(problems).toMatchObject([{ message: expect.stringContaining('has another time than its id'), damaged: true }]);
  });
});

describe('deleting', () => {
  it('is refused where the manifest cannot be read now: the backup may be whole', async () => {
    const { world, ids } = await worldWith(2);
    const denied = new Proxy(world.storage, {
      get: (target, key) =>
        key === 'readText'
          ? async () => {
              throw new PgbackupError('storage', 'AccessDenied');
            }
          : (Reflect.get(target, key).bind?.(target) ?? Reflect.get(target, key)),
    });
    const catalog = await readCatalog([denied], 'shop');
    const { ports } = world.boot();
    const id = ids[1] ?? '';
    await expect(deleteUnreadable(ports, shop, catalog, id, byName(id))).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('may be whole'),
    });
    expect(await keysIn(world.storage, `host-a/shop/${id}/`)).toHaveLength(2);
    expect(await deleteUnreadable(ports, shop, catalog, id, force)).toBe(true);
    expect(await keysIn(world.storage, `host-a/shop/${id}/`)).toEqual([]);
  });

  it('of what another host has taken, and this one cannot read, needs a word', async () => {
    const { world, ids } = await worldWith(1);
    const id = ids[0] ?? '';
    await rewrite(world.storage, `host-a/shop/${id}/manifest.json`, (text) => text.replace('"manifestVersion": 1', '"manifestVersion": 2'));
    world.hostId = 'host-b';
    const { ports } = world.boot();
    const catalog = await readCatalog([world.storage], 'shop');
    await expect(deleteUnreadable(ports, shop, catalog, id, byName(id))).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('was taken by another host (host-a)'),
    });
    expect(await keysIn(world.storage, `host-a/shop/${id}/`)).toHaveLength(2);
  });

  it('of what another host has taken needs a word', async () => {
    const { world, ids } = await worldWith(2);
    world.hostId = 'host-b';
    const { ports } = world.boot();
    const catalog = await readCatalog([world.storage], 'shop');
    const entry = findBackup(catalog, 'shop', ids[0] ?? '', 'host-a');
    await expect(deleteBackup(ports, catalog, entry, byName(ids[0] ?? ''))).rejects.toMatchObject({
      message: expect.stringContaining('was taken by another host (host-a)'),
    });
    await deleteBackup(ports, catalog, entry, force);
    expect((await readCatalog([world.storage], 'shop')).entries).toHaveLength(1);
  });
});

describe('a storage that somebody else writes to', () => {
  it.each(['a$(id)/shop-20261120T031500Z-0001', '--force/shop-20261120T031500Z-0001', 'shop/../x', 'shop/latest'])(
    'lists no backup called %s, and says so',
    async (path) => {
      const storage = new MemoryStorage();
      await storage.put(`evil/${path}/manifest.json`, chunksOf(Buffer.from('{}')));
      const { entries, problems } = await readCatalog([storage], undefined);
      expect(entries).toEqual([]);
      expect(problems.length).toBeLessThanOrEqual(1);
    },
  );
});

describe('two storages of a service', () => {
  it('are two places', () => {
    const { ports } = new World().boot();
    const [a, b] = [parseStorageName('a'), parseStorageName('b')];
    const same = { storages: { ...ports.storages, identity: () => 'one bucket' } };
    expect(() => mustDiffer(same, [a, b], undefined)).toThrow(
      expect.objectContaining({ code: 'refused', message: expect.stringContaining('a and b') }),
    );
    expect(() => mustDiffer(ports, [localStorage, a], undefined)).not.toThrow();
  });
});
