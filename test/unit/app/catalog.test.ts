import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import { createBackup } from '../../../src/app/backup.ts';
import { findBackup, latestBackup, newestOf, readCatalog, type Catalog } from '../../../src/app/catalog.ts';
import { deleteBackup, deleteUnreadable } from '../../../src/app/delete.ts';
import { mustDiffer } from '../../../src/app/storages.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { formatManifest, parseManifest } from '../../../src/domain/manifest.ts';
import { localStorage, parseStorageName } from '../../../src/domain/storage-name.ts';
import type { Storage } from '../../../src/ports.ts';
import { chunksOf, keysIn } from '../../tools/bytes.ts';
import { shop, World } from '../../twins/world.ts';

async function worldWith(count: number): Promise<{ world: World; ids: string[] }> {
  const world = new World();
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
    const { world, ids } = await worldWith(2);
    const folder = `host-a/shop/${ids[0]}/`;
    await rewrite(world.storage, `${folder}manifest.json`, (text) =>
      formatManifest({ ...parseManifest(text, 'test'), startedAt: '2099-01-01T00:00:00.000Z' }),
    );
    const catalog = await readCatalog([world.storage], 'shop');
    const now = world.boot().ports.clock.now();
    expect(latestBackup(catalog, 'shop', 'host-a', now).manifest.id).toBe(ids[1]);
    const alone: Catalog = { ...catalog, entries: catalog.entries.filter(({ manifest }) => manifest.id === ids[0]) };
    expect(newestOf(alone, 'host-a', now)?.manifest.id).toBe(ids[0]);
    // It is the one before it that must not be deleted by mistake.
    const { ports } = world.boot();
    await expect(deleteBackup(ports, catalog, findBackup(catalog, 'shop', ids[1] ?? ''), byName(ids[1] ?? ''))).rejects.toMatchObject({
      code: 'refused',
    });
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

  it('of what another host has taken needs a word', async () => {
    const { world, ids } = await worldWith(2);
    world.hostId = 'host-b';
    const { ports } = world.boot();
    const catalog = await readCatalog([world.storage], 'shop');
    const entry = findBackup(catalog, 'shop', ids[0] ?? '');
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
