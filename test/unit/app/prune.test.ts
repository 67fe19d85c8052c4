import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import { createBackup } from '../../../src/app/backup.ts';
import { archiveKey, findBackup, readCatalog } from '../../../src/app/catalog.ts';
import { deleteBackup } from '../../../src/app/delete.ts';
import { downloadBackup } from '../../../src/app/download.ts';
import { noKeys } from '../../../src/app/keys.ts';
import { prunableServices, prune, pruneAfterBackup } from '../../../src/app/prune.ts';
import { prunedSums } from '../../../src/app/prune-result.ts';
import { ReaderMarks } from '../../../src/app/reading.ts';
import { restore } from '../../../src/app/restore.ts';
import { verifyBackup } from '../../../src/app/verify.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { parseStorageName } from '../../../src/domain/storage-name.ts';
import type { ListedKey, StoredObject } from '../../../src/ports.ts';
import { keysIn } from '../../tools/bytes.ts';
import { type Fault, Faults } from '../../twins/faults.ts';
import { shop, World } from '../../twins/world.ts';

const offsite = parseStorageName('offsite');
const hour = 3600;

/** A storage whose own clock the test sets, and which may hold objects locked. */
class Offsite extends MemoryStorage {
  readonly modified = new Map<string, Date>();
  readonly locked = new Map<string, Date>();
  #now: () => Date;

  constructor(now: () => Date) {
    super('offsite');
    this.#now = now;
  }

  override async put(...args: Parameters<MemoryStorage['put']>): ReturnType<MemoryStorage['put']> {
    this.modified.set(args[0], this.#now());
    return super.put(...args);
  }

  override async head(key: string): Promise<StoredObject | undefined> {
    const found = await super.head(key);
    const lockedUntil = this.locked.get(key);
    return found && { ...found, modified: this.modified.get(key) ?? found.modified, ...(lockedUntil && { lockedUntil }) };
  }

  override async *list(prefix: string): AsyncIterable<ListedKey> {
    for await (const listed of super.list(prefix)) yield { ...listed, modified: this.modified.get(listed.key) };
  }

  override async delete(key: string): Promise<void> {
    if (this.locked.has(key)) throw new PgbackupError('storage', `${key} is locked`);
    return super.delete(key);
  }
}

interface Host {
  readonly world: World;
  readonly offsite: Offsite;
  /** Oldest first, an hour between each. */
  readonly ids: readonly string[];
}

const policy = { 'keep-last': '2', 'min-keep': '1', storages: 'offsite' };

/** A host with backups of shop in one storage. */
async function host(count: number, settings: Readonly<Record<string, string>> = policy): Promise<Host> {
  const world = new World();
  const clock = world.boot().ports.clock;
  const storage = new Offsite(() => clock.now());
  world.others.set(offsite, storage);
  // Without the policy, which each backup would follow by itself.
  const { storages = 'local' } = settings;
  world.disk.settings.set(shop, new Map([['storages', storages]]));
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    ids.push(await take(world));
    world.advance(hour);
  }
  world.disk.settings.set(shop, new Map(Object.entries(settings)));
  return { world, offsite: storage, ids };
}

/** A backup that prunes nothing afterwards: what is there before a prune is for the test to say. */
async function take(world: World, schemas: readonly string[] = []): Promise<string> {
  const settings = world.disk.settings.get(shop) ?? new Map<string, string>();
  world.disk.settings.set(shop, new Map([...settings].filter(([key]) => key === 'storages')));
  const { manifest } = await createBackup(world.boot().ports, { target: 'shop', labels: {}, note: null, schemas, toolVersion: '0.1.0' });
  world.disk.settings.set(shop, settings);
  return manifest.id;
}

async function text(storage: MemoryStorage, key: string, bytes: string): Promise<void> {
  await storage.put(
    key,
    (async function* () {
      yield Buffer.from(bytes);
    })(),
  );
}

/** What is listed, and that each of it is whole. */
async function listed(storage: MemoryStorage): Promise<string[]> {
  const { entries, problems } = await readCatalog([storage], 'shop');
  expect(problems).toEqual([]);
  for (const entry of entries) {
    const bytes = Buffer.concat(await (await storage.get(archiveKey(entry))).toArray());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(entry.manifest.archive.storedSha256);
  }
  return entries.map(({ manifest }) => manifest.id);
}

const keysOf = (ids: readonly string[]): string[] =>
  ids.flatMap((id) => [`host-a/shop/${id}/archive.dump`, `host-a/shop/${id}/manifest.json`]).toSorted();

describe('prune', () => {
  it('removes what the policy does not keep, with its files, and says why for each', async () => {
    const { world, offsite: storage, ids } = await host(5);
    const { ports } = world.boot();
    const planned = await prune(ports, shop, { dryRun: true });
    expect(prunedSums(planned)).toMatchObject({ removed: 3, failed: 0 });
    expect(await listed(storage)).toEqual(ids);
    expect(world.disk.log.some(({ operation }) => operation === 'prune')).toBe(false);
    const done = await prune(ports, shop, { dryRun: false });
    expect(done).toMatchObject({ service: 'shop', rules: 'keep-last 2', minKeep: 1 });
    expect(done.storages.map(({ backups }) => backups.map(({ id, removed, reasons }) => [id, removed, reasons]))).toEqual([
      [
        ...ids.slice(0, 3).map((id) => [id, true, ['no rule keeps it (keep-last 2)']]),
        [ids[3], false, ['last 2']],
        [ids[4], false, ['newest proven', 'last 2', 'min-keep 1']],
      ],
    ]);
    expect(await keysIn(storage, '')).toEqual(keysOf(ids.slice(3)));
    expect(world.disk.log.at(-1)).toMatchObject({
      operation: 'prune',
      outcome: 'ok',
      message: expect.stringMatching(/^3 backups removed, \d+ bytes$/),
    });
  });

  it('removes nothing while no rule is set', async () => {
    const { world, offsite: storage, ids } = await host(4, { storages: 'offsite' });
    const { ports } = world.boot();
    expect(await prune(ports, shop, { dryRun: false })).toMatchObject({ rules: '' });
    expect(await listed(storage)).toEqual(ids);
    expect(await pruneAfterBackup(ports, shop, [storage])).toBeUndefined();
  });

  it('looks at each storage by itself, and at those that are named alone', async () => {
    const { world, offsite: storage, ids } = await host(3, { ...policy, storages: 'local,offsite' });
    const { ports } = world.boot();
    await prune(ports, shop, { dryRun: false, storages: [offsite] });
    expect(await listed(storage)).toEqual(ids.slice(1));
    expect((await readCatalog([world.storage], 'shop')).entries).toHaveLength(3);
    const { storages } = await prune(ports, shop, { dryRun: false });
    expect(storages.map(({ storage: name, backups }) => [name, backups.filter(({ removed }) => removed).length])).toEqual([
      ['local', 1],
      ['offsite', 0],
    ]);
  });

  it('never touches what another host has taken, be it ever so old (pitfall 23)', async () => {
    const { world, offsite: storage, ids } = await host(3);
    world.hostId = 'host-b';
    const own = [await take(world), await take(world), await take(world)];
    await text(storage, 'host-a/shop/shop-20200101T000000Z-aaaa/archive.dump', 'of another host');
    storage.modified.set('host-a/shop/shop-20200101T000000Z-aaaa/archive.dump', new Date(0));
    await prune(world.boot().ports, shop, { dryRun: false });
    expect(await listed(storage)).toEqual([...ids, ...own.slice(1)]);
    expect(await keysIn(storage, 'host-a/shop/shop-2020')).toHaveLength(1);
  });

  it('keeps what is under object lock, and says until when', async () => {
    const { world, offsite: storage, ids } = await host(4);
    const [first = '', second = ''] = ids;
    for (const key of keysOf([first])) storage.locked.set(key, new Date('2026-12-01T00:00:00Z'));
    // The archive is free already, its manifest is not.
    storage.locked.set(`host-a/shop/${second}/archive.dump`, new Date('2026-11-20T04:00:00Z'));
    storage.locked.set(`host-a/shop/${second}/manifest.json`, new Date('2026-11-21T00:00:00Z'));
    const { storages } = await prune(world.boot().ports, shop, { dryRun: false });
    expect(storages[0]?.backups.slice(0, 2).map(({ reasons }) => reasons)).toEqual([
      ['locked until 2026-12-01 00:00:00 UTC'],
      ['locked until 2026-11-21 00:00:00 UTC'],
    ]);
    expect(storages[0]?.failures).toEqual([]);
    expect(await listed(storage)).toEqual(ids);
  });

  it('keeps what somebody reads, also who has begun only after the plan was made', async () => {
    const { world, offsite: storage, ids } = await host(4);
    const [first = '', second = ''] = ids;
    const { ports } = world.boot();
    const before = await ports.locks.reading(shop, first, 'a restore');
    const readers = async (): Promise<ReadonlyMap<string, string>> => {
      const found = new Map(await ports.locks.readers(shop));
      await ports.locks.reading(shop, second, 'a verify');
      return found;
    };
    const locks = { ...ports.locks, readers };
    const { storages } = await prune({ ...ports, locks }, shop, { dryRun: false });
    expect(storages[0]?.backups[0]?.reasons).toEqual(['being read by a restore']);
    expect(storages[0]?.failures).toEqual([`Backup ${second} is being read by a verify`]);
    expect(await listed(storage)).toEqual(ids);
    await before[Symbol.asyncDispose]();
  });

  it('lets backups of some schemas push none of the whole database out', async () => {
    const { world, offsite: storage, ids } = await host(2);
    const some = [await take(world, ['public']), await take(world, ['public']), await take(world, ['public'])];
    await prune(world.boot().ports, shop, { dryRun: false });
    expect(await listed(storage)).toEqual([...ids, ...some.slice(1)]);
  });

  it('lets damaged ones push no whole ones out, and leaves what has no readable manifest to people (pitfall 48)', async () => {
    const { world, offsite: storage, ids } = await host(5);
    await text(storage, `host-a/shop/${ids[4]}/manifest.json`, '{');
    await text(storage, `host-a/shop/${ids[3]}/archive.dump`, 'cut');
    const { ports, transcript } = world.boot();
    const { storages } = await prune(ports, shop, { dryRun: false });
    expect(transcript.warnings).toEqual([expect.stringContaining(`${ids[4]}/manifest.json is not JSON`)]);
    expect(storages[0]?.backups.map(({ id, removed }) => [id, removed])).toEqual([
      [ids[0], true],
      [ids[1], false],
      [ids[2], false],
      [ids[3], false],
    ]);
    expect(storages[0]?.backups[3]?.reasons.join()).toMatch(
      /^newest of those that are not whole,.*its archive has 3 bytes, and \d+ were stored$/,
    );
    expect(await keysIn(storage, '')).toEqual(keysOf(ids.slice(1)));
  });

  it('is refused while another operation runs, and prunes a service that is gone', async () => {
    const { world, offsite: storage, ids } = await host(3);
    const { ports } = world.boot();
    {
      await using _lock = await ports.locks.acquire(shop, 'restore');
      await expect(prune(ports, shop, { dryRun: false })).rejects.toMatchObject({ code: 'locked' });
      expect(prunedSums(await prune(ports, shop, { dryRun: true })).removed).toBe(1);
    }
    world.dokku.services.delete(shop);
    await prune(ports, shop, { dryRun: false });
    expect(await listed(storage)).toEqual(ids.slice(1));
  });

  it('--all means the services that this host has taken backups of, wherever they lie', async () => {
    const { world } = await host(1);
    expect(await prunableServices(world.boot().ports)).toEqual(['shop']);
    world.hostId = 'host-b';
    world.disk.log.length = 0;
    expect(await prunableServices(world.boot().ports)).toEqual([]);
  });
});

describe('the orphans', () => {
  const folder = 'host-a/shop/shop-20261118T000000Z-dead/';

  it('of a service go when they are a day old by the clock of the storage', async () => {
    const { world, offsite: storage } = await host(1);
    const now = world.boot().ports.clock.now().getTime();
    await text(storage, `${folder}archive.dump`, 'an orphan');
    await text(storage, `${folder}notes`, 'beside it');
    storage.modified.set(`${folder}archive.dump`, new Date(now - 25 * hour * 1000));
    storage.modified.set(`${folder}notes`, new Date(now - 23 * hour * 1000));
    const { ports } = world.boot();
    expect((await prune(ports, shop, { dryRun: true })).storages[0]?.orphans).toEqual([]);
    storage.modified.set(`${folder}notes`, new Date(now - 24 * hour * 1000));
    const planned = await prune(ports, shop, { dryRun: true });
    expect(planned.storages[0]?.orphans).toEqual([
      {
        id: 'shop-20261118T000000Z-dead',
        keys: [`${folder}archive.dump`, `${folder}notes`],
        manifest: `${folder}manifest.json`,
        size: 18,
      },
    ]);
    expect(await keysIn(storage, folder)).toHaveLength(2);
    expect(prunedSums(await prune(ports, shop, { dryRun: false }))).toEqual({ removed: 0, bytes: 18, failed: 0 });
    expect(await keysIn(storage, folder)).toEqual([]);
  });

  it('are none where the storage has left the manifest out of its list', async () => {
    const { world, offsite: storage, ids } = await host(2);
    world.advance(100 * hour);
    const list = storage.list.bind(storage);
    let lies = true;
    storage.list = async function* (prefix: string) {
      for await (const listed of list(prefix)) if (!lies || !listed.key.endsWith(`${ids[0]}/manifest.json`)) yield listed;
    };
    await prune(world.boot().ports, shop, { dryRun: false });
    await pruneAfterBackup(world.boot().ports, shop, [storage]);
    lies = false;
    expect(await keysIn(storage, `host-a/shop/${ids[0]}/`)).toHaveLength(2);
  });

  it('go with the next backup where no rule is set, too, and nothing is said where they may not', async () => {
    const { world, offsite: storage } = await host(1, { storages: 'offsite' });
    await text(storage, `${folder}archive.dump`, 'left when the storage went away');
    await text(storage, `${folder}notes`, 'locked');
    world.advance(25 * hour);
    storage.locked.set(`${folder}notes`, new Date(0));
    await take(world);
    expect(await keysIn(storage, folder)).toEqual([`${folder}notes`]);
    const { ports, transcript } = world.boot();
    await pruneAfterBackup(ports, shop, [storage]);
    expect(transcript.warnings).toEqual([]);
  });

  it("stay where they may be somebody's: with a manifest, of an unfinished operation, being read, locked, or no backup at all", async () => {
    const { world, offsite: storage } = await host(1);
    const id = (suffix: string): string => `host-a/shop/shop-20261118T000000Z-${suffix}/archive.dump`;
    const kept = [
      id('mani'),
      id('mani').replace('archive.dump', 'manifest.json'),
      id('jour'),
      id('read'),
      id('lock'),
      'host-a/shop/mine/archive.dump',
      'host-a/notes',
      'host-a/shop2/shop2-20261118T000000Z-dead/archive.dump',
    ];
    for (const key of kept) {
      await text(storage, key, '{');
      storage.modified.set(key, new Date(0));
    }
    storage.locked.set(id('lock'), new Date('2027-01-01T00:00:00Z'));
    const { ports } = world.boot();
    const prefix = id('jour').replace('archive.dump', '');
    await ports.journals.write(shop, {
      kind: 'backup',
      operation: 'shop-20261118T000000Z-jour',
      backupDir: null,
      storages: ['offsite'],
      prefix,
    });
    await using marks = new ReaderMarks(ports, 'a restore');
    await marks.holdFile(`/mnt/backups/${id('read')}`);
    const { storages } = await prune(ports, shop, { dryRun: false });
    expect(storages[0]?.orphans).toEqual([]);
    expect(storages[0]?.failures).toEqual(['Backup shop-20261118T000000Z-read is being read by a restore']);
    expect(await keysIn(storage, '')).toEqual(expect.arrayContaining(kept));
  });
});

/** A prune with a fault, then the next ones. */
async function pruneWith(fault: Fault | undefined): Promise<{ calls: readonly string[]; told: boolean }> {
  const { world, offsite: storage, ids } = await host(5);
  await text(storage, 'host-a/shop/shop-20261110T000000Z-dead/archive.dump', 'an orphan');
  storage.modified.set('host-a/shop/shop-20261110T000000Z-dead/archive.dump', new Date(0));
  const process = world.boot(new Faults(fault ?? []));
  const told = await prune(process.ports, shop, { dryRun: false }).then(
    // Of a dead process nobody hears anything.
    (result) => process.faults.dead || prunedSums(result).failed > 0 || process.transcript.warnings.length > 0,
    () => true,
  );
  expect(await listed(storage)).toEqual(expect.arrayContaining(ids.slice(3)));
  // What was cut off between the two files of a backup is an orphan, and a day later it is gone.
  await prune(world.boot().ports, shop, { dryRun: false });
  world.advance(25 * hour);
  await prune(world.boot().ports, shop, { dryRun: false });
  expect(await listed(storage)).toEqual(ids.slice(3));
  expect(await keysIn(storage, '')).toEqual(keysOf(ids.slice(3)));
  return { calls: process.faults.calls, told };
}

describe('prune, whatever fails (pitfalls 19, 48)', () => {
  it.each([
    ['fails before it does anything', { effect: 'none', scope: 'once' }],
    ['fails after it has done all', { effect: 'whole', scope: 'once' }],
    ['is where the process is killed, before it did anything', { effect: 'none', scope: 'process' }],
    ['is where the process is killed, after it has done all', { effect: 'whole', scope: 'process' }],
  ] as const)('leaves every listed backup whole and the kept ones there, and tells, when any one call %s', async (_, how) => {
    const { calls } = await pruneWith(undefined);
    expect(calls.filter((call) => call.startsWith('offsite.delete'))).toHaveLength(7);
    const untold: string[] = [];
    for (const [index, call] of calls.entries()) if (!(await pruneWith({ index, ...how })).told) untold.push(call);
    expect(untold).toEqual([]);
  });

  it('after a backup never throws and never fails it, but warns', async () => {
    const { calls } = await (async () => {
      const { world, offsite: storage } = await host(4);
      const { ports, faults } = world.boot();
      await pruneAfterBackup(ports, shop, [storage]);
      return faults;
    })();
    expect(calls.length).toBeGreaterThan(10);
    for (const index of calls.keys()) {
      const { world, offsite: storage, ids } = await host(4);
      const { ports, transcript } = world.boot(new Faults({ index, effect: 'none', scope: 'once' }));
      await pruneAfterBackup(ports, shop, [storage]);
      expect(transcript.warnings).toHaveLength(1);
      expect(await listed(storage)).toEqual(expect.arrayContaining(ids.slice(2)));
    }
  });

  it('gives up on a storage that refuses every deletion, as for keys that may only write (pitfall 19)', async () => {
    const { world, offsite: storage, ids } = await host(9);
    let asked = 0;
    storage.delete = async (key) => {
      asked += 1;
      throw new PgbackupError('storage', `Cannot delete ${key}: 403 AccessDenied`);
    };
    const { ports, transcript } = world.boot();
    const result = await pruneAfterBackup(ports, shop, [storage]);
    expect(asked).toBe(3);
    expect(result && prunedSums(result)).toMatchObject({ removed: 0, failed: 3 });
    expect(transcript.warnings).toEqual([expect.stringContaining('403 AccessDenied')]);
    expect(await listed(storage)).toEqual(ids);
    expect(world.disk.log.at(-1)).toMatchObject({ operation: 'prune', outcome: 'partial' });
  });

  it('that cannot list one storage goes on with the next', async () => {
    const { world, offsite: storage, ids } = await host(3, { ...policy, storages: 'local,offsite' });
    const { ports } = world.boot();
    const calls = async (): Promise<number> => {
      const probe = world.boot();
      await prune(probe.ports, shop, { dryRun: true });
      return probe.faults.calls.findIndex((call) => call.startsWith('storage.list'));
    };
    const broken = world.boot(new Faults({ index: (await calls()) + 1, effect: 'none', scope: 'once' }));
    const result = await prune(broken.ports, shop, { dryRun: false });
    expect(result.storages.map(({ backups, failures }) => [backups.length, failures.length])).toEqual([
      [0, 1],
      [3, 0],
    ]);
    expect(await listed(storage)).toEqual(ids.slice(1));
    expect((await readCatalog([ports.storages.open(parseStorageName('local'), undefined)], 'shop')).entries).toHaveLength(3);
  });

  it('that is interrupted stops where it is', async () => {
    const { world, offsite: storage, ids } = await host(5);
    const process = world.boot(
      new Faults([], (call) => {
        if (call.startsWith('offsite.delete')) process.stop.abort(new PgbackupError('interrupted', 'Interrupted'));
      }),
    );
    const result = await prune(process.ports, shop, { dryRun: false });
    expect(result.storages[0]?.failures).toEqual(['interrupted']);
    expect(await listed(storage)).toEqual(ids.slice(1));
  });
});

describe('whoever reads a backup', () => {
  const request = {
    into: undefined,
    online: false,
    stopApp: false,
    jobs: undefined,
    checks: [],
    sha256: undefined,
    keys: noKeys,
    dryRun: false,
    confirm: undefined,
    force: true,
  };

  it('marks it first: a restore into another service, a verify, a download', async () => {
    const { world } = await host(1, {});
    world.addService('qa', []);
    const restoring = world.boot();
    await restore(restoring.ports, { target: 'shop', source: { kind: 'latest' }, ...request, into: 'qa' });
    expect(restoring.faults.calls.indexOf('locks.reading')).toBeGreaterThan(-1);
    expect(restoring.faults.calls.indexOf('locks.reading')).toBeLessThan(restoring.faults.calls.indexOf('sources.hash'));
    const [entry] = (await readCatalog([world.storage], 'shop')).entries;
    if (!entry) throw new Error('there is no backup');
    for (const read of [
      (ports: typeof restoring.ports) => verifyBackup(ports, entry, world.storage),
      (ports: typeof restoring.ports) => downloadBackup(ports, entry, new PassThrough().resume()),
    ]) {
      const { ports, faults } = world.boot();
      await read(ports);
      expect(faults.calls.find((call) => !call.startsWith('settings.'))).toBe('locks.reading');
      expect(await ports.locks.readers(shop)).toEqual(new Map());
    }
  });

  it('keeps it from being deleted', async () => {
    const { world, ids } = await host(2, {});
    const { ports } = world.boot();
    const catalog = await readCatalog([world.storage], 'shop');
    const entry = findBackup(catalog, 'shop', ids[0] ?? '', 'host-a');
    const consent = { confirm: undefined, force: true };
    {
      await using _mark = await ports.locks.reading(shop, entry.manifest.id, 'a restore');
      await expect(deleteBackup(ports, catalog, entry, consent)).rejects.toMatchObject({
        code: 'locked',
        message: `Backup ${ids[0]} is being read by a restore`,
      });
    }
    await deleteBackup(ports, catalog, entry, consent);
    // What has been removed since the catalog was read is not called damaged.
    await expect(verifyBackup(ports, entry, world.storage)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('marks an archive of ours also when it is named by its path, and nothing else', async () => {
    const { ports } = new World().boot();
    await using marks = new ReaderMarks(ports, 'a restore');
    await marks.holdFile('/tmp/shop.dump');
    await marks.holdFile('/tmp/shop/old/shop.dump');
    await marks.holdFile('/mnt/host-a/shop/shop-20261118T000000Z-dead/archive.dump');
    expect([...(await ports.locks.readers(shop)).keys()]).toEqual(['shop-20261118T000000Z-dead']);
  });
});
