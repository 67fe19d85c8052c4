import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import { createStorage, destroyStorage, listStorages, openAddress } from '../../../src/app/storage-setup.ts';
import { parseS3Config, s3Defaults } from '../../../src/domain/s3-config.ts';
import { parseStorageName, parseStorageNames } from '../../../src/domain/storage-name.ts';
import { shop, World } from '../../twins/world.ts';

const offsite = parseStorageName('offsite');
const config = parseS3Config({ ...s3Defaults, bucket: 'backups', region: 'eu-1' }, 'offsite');
const consent = { confirm: undefined, force: true };

function worldWithOffsite(): World {
  const world = new World();
  world.others.set(offsite, new MemoryStorage('offsite'));
  world.storageConfigs.set(offsite, config);
  return world;
}

describe('the names of storages', () => {
  it.each(['local', 'a', '0', 'off-site-2', 'x'.repeat(32)])('%s is one', (name) => expect(parseStorageName(name)).toBe(name));

  it.each(['', '-a', 'A', 'a b', 'a/b', '..', 'a.b', 'x'.repeat(33), 'ä'])('"%s" is none', (name) => {
    expect(() => parseStorageName(name)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('make a list, each once and in its order', () => {
    expect(parseStorageNames('offsite, local,offsite')).toEqual(['offsite', 'local']);
    expect(() => parseStorageNames(' ,')).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('setting up storages', () => {
  it('makes one, but not twice and not over another', async () => {
    const world = new World();
    const { ports } = world.boot();
    await createStorage(ports, offsite, config, false);
    expect(world.storageConfigs.get(offsite)).toEqual(config);
    const again = worldWithOffsite().boot().ports;
    await expect(createStorage(again, offsite, config, false)).rejects.toMatchObject({
      code: 'refused',
      hint: expect.stringContaining('--replace'),
    });
    await createStorage(again, offsite, config, true);
    await expect(createStorage(again, parseStorageName('local'), config, true)).rejects.toMatchObject({ code: 'usage' });
  });

  it('tells who uses which', async () => {
    const world = worldWithOffsite();
    world.disk.settings.set(shop, new Map([['storages', 'offsite']]));
    const listed = await listStorages(world.boot().ports);
    expect(listed.map(({ name, usedBy }) => [name, usedBy])).toEqual([
      ['local', ['--global']],
      ['offsite', ['shop']],
    ]);
  });

  it('forgets none that somebody still uses', async () => {
    const world = worldWithOffsite();
    world.disk.settings.set(shop, new Map([['storages', 'local,offsite']]));
    await expect(destroyStorage(world.boot().ports, offsite, consent)).rejects.toMatchObject({
      code: 'refused',
      message: 'Storage offsite is in use by shop',
      hint: 'Take it out of their settings first: dokku pgbackup:set shop storages <the others>',
    });
    world.disk.settings.delete(shop);
    await destroyStorage(world.boot().ports, offsite, consent);
    expect(world.storageConfigs.has(offsite)).toBe(false);
  });

  it('does not forget one without its name being typed, nor one that is not there', async () => {
    const { ports } = worldWithOffsite().boot();
    await expect(destroyStorage(ports, offsite, { confirm: 'other', force: false })).rejects.toMatchObject({ code: 'confirmation' });
    await expect(destroyStorage(ports, parseStorageName('nope'), consent)).rejects.toMatchObject({ code: 'not-found' });
    await expect(destroyStorage(ports, parseStorageName('local'), consent)).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('an address in a bucket', () => {
  it('is read with the access of the storage that is set up for the bucket', () => {
    const { ports } = worldWithOffsite().boot();
    expect(openAddress(ports, 's3://backups/a/b.tgz', undefined)).toMatchObject({ key: 'a/b.tgz', storage: { name: 'offsite' } });
  });

  it.each([
    ['s3://others/a.tgz', 'not-found', 'No storage is set up for bucket others'],
    ['s3://backups', 'usage', '"s3://backups" is no address of an object'],
    ['s3://backups/', 'usage', '"s3://backups/" is no address of an object'],
  ])('%s cannot be read', (address, code, message) => {
    const { ports } = worldWithOffsite().boot();
    expect(() => openAddress(ports, address, undefined)).toThrow(expect.objectContaining({ code, message }));
  });

  it('needs a word when several storages are set up for the bucket', () => {
    const world = worldWithOffsite();
    const second = parseStorageName('second');
    world.others.set(second, new MemoryStorage('second'));
    world.storageConfigs.set(second, config);
    const { ports } = world.boot();
    expect(() => openAddress(ports, 's3://backups/a', undefined)).toThrow(
      expect.objectContaining({
        message: 'Several storages are set up for bucket backups: offsite, second',
        hint: 'Say which: --storage offsite',
      }),
    );
    expect(openAddress(ports, 's3://backups/a', second)).toMatchObject({ storage: { name: 'second' } });
  });
});
