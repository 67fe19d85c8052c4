import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openS3Storage, type S3Storage } from '../../src/adapters/storage/s3/s3.ts';
import { createBackup } from '../../src/app/backup.ts';
import { readCatalog } from '../../src/app/catalog.ts';
import { prune, pruneAfterBackup } from '../../src/app/prune.ts';
import { parseStorageName } from '../../src/domain/storage-name.ts';
import { keysIn } from '../tools/bytes.ts';
import { type Bucket, type BucketOptions, deny, freshBucket } from '../tools/s3-server.ts';
import { shop, World } from '../twins/world.ts';
import { configOf, quick } from './open-s3.ts';

const offsite = parseStorageName('offsite');

describe('prune in S3', () => {
  let bucket: Bucket;
  let storage: S3Storage;
  let world: World;
  let ids: string[];

  /** Three backups, of which the rules keep two. */
  async function begin(options: BucketOptions = {}, lockDays?: number): Promise<void> {
    bucket = await freshBucket('rgw', options);
    storage = openS3Storage('offsite', configOf(bucket, lockDays === undefined ? {} : { lockDays }), bucket.server, quick);
    world = new World();
    world.others.set(offsite, storage);
    world.disk.settings.set(shop, new Map([['storages', 'offsite']]));
    // The clock of the world stands on a day of its own: here it has to be that of the server.
    world.advance((Date.now() - world.boot().ports.clock.now().getTime()) / 1000);
    ids = [];
    for (let i = 0; i < 3; i += 1) {
      const { manifest } = await createBackup(world.boot().ports, {
        target: 'shop',
        labels: {},
        note: null,
        schemas: [],
        toolVersion: '0.1.0',
      });
      ids.push(manifest.id);
      world.advance(1);
    }
    // Only now: a backup prunes by itself when it is taken.
    world.disk.settings.get(shop)?.set('keep-last', '2');
  }

  const listed = async (): Promise<string[]> => (await readCatalog([storage], 'shop')).entries.map(({ manifest }) => manifest.id);

  beforeEach(() => begin());
  afterEach(async () => {
    await storage.close();
    await bucket[Symbol.asyncDispose]();
  });

  it('removes both files of what no rule keeps', async () => {
    const { storages } = await prune(world.boot().ports, shop, { dryRun: false });
    expect(storages).toMatchObject([{ storage: 'offsite', failures: [] }]);
    expect(await listed()).toEqual(ids.slice(1));
    expect(await keysIn(storage, '')).toHaveLength(4);
  });

  it('finds orphans by the clock of the server', async () => {
    await storage.delete(`host-a/shop/${ids[0]}/manifest.json`);
    world.advance(23 * 3600);
    expect((await prune(world.boot().ports, shop, { dryRun: false })).storages[0]?.orphans).toEqual([]);
    world.advance(2 * 3600);
    expect((await prune(world.boot().ports, shop, { dryRun: false })).storages[0]?.orphans).toMatchObject([{ id: ids[0] }]);
    expect(await keysIn(storage, '')).toHaveLength(4);
  });

  it('with keys that may not delete says so, and the backup before it is a good one (pitfall 19)', async () => {
    await deny(bucket, ['s3:DeleteObject']);
    const { storages } = await prune(world.boot().ports, shop, { dryRun: false });
    expect(storages[0]?.failures).toEqual([expect.stringMatching(/AccessDenied/)]);
    const { ports, transcript } = world.boot();
    await pruneAfterBackup(ports, shop, [storage]);
    expect(transcript.warnings).toEqual([expect.stringMatching(/^Not all that is too old could be removed from offsite: .*AccessDenied/)]);
    expect(await listed()).toEqual(ids);
  });

  it('with keys that may not list says so (pitfall 19)', async () => {
    await deny(bucket, ['s3:ListBucket']);
    const { storages } = await prune(world.boot().ports, shop, { dryRun: false });
    expect(storages).toMatchObject([{ backups: [], failures: [expect.stringMatching(/AccessDenied/)] }]);
  });

  it('keeps what is under object lock, and says until when', async () => {
    await bucket[Symbol.asyncDispose]();
    await begin({ lock: true }, 1);
    const { storages } = await prune(world.boot().ports, shop, { dryRun: false });
    expect(storages[0]?.failures).toEqual([]);
    expect(storages[0]?.backups[0]?.reasons).toEqual([expect.stringMatching(/^locked until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)]);
    expect(await listed()).toEqual(ids);
  });
});
