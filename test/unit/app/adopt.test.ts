import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import { adopt, type AdoptRequest, type AdoptResult } from '../../../src/app/adopt.ts';
import type { LegacyBackup } from '../../../src/domain/legacy-backup.ts';
import { parseStorageName } from '../../../src/domain/storage-name.ts';
import { chunksOf, keysIn } from '../../tools/bytes.ts';
import { Faults } from '../../twins/faults.ts';
import { shop, World, type Transcript } from '../../twins/world.ts';

const bucket = parseStorageName('shop-s3');
const theirs: LegacyBackup = {
  keys: { accessKeyId: 'AKIATHEIRS', secretAccessKey: 'their-secret' },
  region: 'eu-west-2',
  endpoint: undefined,
  signatureVersion: undefined,
  passphrase: undefined,
  publicKey: undefined,
  crontab: '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket/db \n',
};
const wanted: AdoptRequest = {
  target: 'shop',
  storage: undefined,
  region: undefined,
  recipients: [],
  withoutEncryption: false,
  keepOld: false,
  cron: undefined,
  dryRun: false,
  confirm: 'shop',
  force: false,
  toolVersion: '0.1.0',
};

function worldOf(changes: Partial<LegacyBackup> = {}): World {
  const world = new World();
  world.legacy = { ...theirs, ...changes };
  return world;
}

interface Outcome {
  readonly result: AdoptResult | undefined;
  readonly error: { readonly code?: string; readonly message?: string; readonly hint?: string } | undefined;
  readonly transcript: Transcript;
}

async function run(world: World, changes: Partial<AdoptRequest> = {}, answer?: string): Promise<Outcome> {
  const { ports, transcript } = world.boot();
  transcript.answer = answer;
  try {
    return { result: await adopt(ports, { ...wanted, ...changes }), error: undefined, transcript };
  } catch (error) {
    return { result: undefined, error: error as Outcome['error'], transcript };
  }
}

/** All that adopting may change on the host. */
function stateOf(world: World): unknown {
  return structuredClone([world.legacy, world.schedules.crontab, world.disk.settings.get(shop), world.storageConfigs, world.storageKeys]);
}

describe('adopt', () => {
  it('sets up the same here, takes a backup, and only then ends the old schedule', async () => {
    const world = worldOf();
    const { result } = await run(world);
    expect(result).toMatchObject({
      kind: 'adopted',
      oldSchedule: 'removed',
      old: undefined,
      manifest: { storages: [{ name: 'shop-s3', stored: true }] },
    });
    expect(world.storageConfigs.get(bucket)).toMatchObject({
      kind: 's3',
      bucket: 'bucket',
      prefix: 'db',
      region: 'eu-west-2',
      auth: { kind: 'keys' },
    });
    expect(world.storageKeys.get(bucket)).toEqual(theirs.keys);
    expect([...(world.disk.settings.get(shop) ?? [])]).toEqual([['storages', 'shop-s3']]);
    expect(world.schedules.crontab).toEqual([
      { schedule: '0 3 * * *', command: expect.stringMatching(/^dokku pgbackup:run shop --schedule \w{4}$/) },
    ]);
    expect(world.legacy?.crontab).toBeUndefined();
    expect(result?.kind === 'adopted' && result.next?.toISOString()).toBe('2026-11-21T03:00:00.000Z');
  });

  it('leaves their schedule with --keep-old', async () => {
    const world = worldOf();
    expect((await run(world, { keepOld: true })).result).toMatchObject({ oldSchedule: 'kept' });
    expect(world.legacy?.crontab).toBe(theirs.crontab);
    expect(world.schedules.crontab).toHaveLength(1);
  });

  it('encrypts with their passphrase, which is shown nowhere (pitfall 49)', async () => {
    const world = worldOf({ passphrase: 'their long passphrase' });
    const { result, transcript } = await run(world);
    expect(result).toMatchObject({ manifest: { archive: { encryption: { passphrase: true } } } });
    expect(world.disk.settings.get(shop)?.get('passphrase')).toBe('their long passphrase');
    const told = JSON.stringify([result, transcript.lines]);
    expect(told).not.toContain('their long passphrase');
    expect(told).not.toContain('their-secret');
    expect(told).toContain('AKIATHEIRS');
  });

  it('tells what dokku-postgres has left in the bucket, and how to restore it', async () => {
    const world = worldOf();
    const storage = new MemoryStorage('shop-s3');
    for (const name of ['shop-2026-11-18-03-00-00.tgz', 'shop-2026-11-19-03-00-00.tgz.gpg', 'shop-two-2026-11-20-03-00-00.tgz'])
      await storage.put(`postgres-${name}`, chunksOf(Buffer.from('x')));
    world.others.set(bucket, storage);
    world.storageConfigs.set(bucket, await configOf());
    expect((await run(world)).result).toMatchObject({
      old: { count: 2, newest: 's3://bucket/db/postgres-shop-2026-11-19-03-00-00.tgz.gpg' },
    });
  });

  it('changes nothing with --dry-run, also where nobody has confirmed and the service is stopped', async () => {
    const world = worldOf();
    stop(world);
    const before = stateOf(world);
    const { result, transcript } = await run(world, { dryRun: true, confirm: undefined });
    expect(result).toMatchObject({ kind: 'planned', plan: { storage: { name: 'shop-s3' } } });
    expect(transcript.lines.join('\n')).toMatch(/Storage: +shop-s3 \(new\).*\n.*Backups go to: shop-s3 alone/);
    expect(stateOf(world)).toEqual(before);
  });

  it.each<[string, Partial<AdoptRequest>, string | undefined, string]>([
    ['without a terminal', {}, undefined, 'no terminal'],
    ['when another name is typed', {}, 'shopp', 'not "shop"'],
    ['when --confirm names another', { confirm: 'web' }, undefined, '--confirm says "web"'],
  ])('changes nothing %s', async (_, changes, answer, told) => {
    const world = worldOf();
    const before = stateOf(world);
    const { error } = await run(world, { confirm: undefined, ...changes }, answer);
    expect(error).toMatchObject({ code: 'confirmation', message: expect.stringContaining(told) });
    expect(stateOf(world)).toEqual(before);
  });

  it.each(['typed', '--force'])('goes on when its name is typed or with --force (%s)', async (how) => {
    const { result } = await run(worldOf(), { confirm: undefined, force: how === '--force' }, how === 'typed' ? 'shop' : undefined);
    expect(result?.kind).toBe('adopted');
  });

  it('of an app means its service', async () => {
    expect((await run(worldOf(), { target: 'web' })).result).toMatchObject({ kind: 'adopted', plan: { service: 'shop' } });
  });
});

describe('adopt is refused, with what to do instead,', () => {
  const nothing = { keys: undefined, region: undefined, crontab: undefined };
  it.each<[string, Partial<LegacyBackup> | undefined, Partial<AdoptRequest>, string, RegExp]>([
    ['where nothing is set up', undefined, {}, 'not-found', /pgbackup:storage-create offsite s3 --bucket <bucket>\n/],
    [
      'where there are keys alone',
      { crontab: undefined, endpoint: 'https://s3.example.com' },
      {},
      'not-found',
      /--endpoint https:\/\/s3.example.com --path-style --region eu-west-2/,
    ],
    ['where there is a passphrase alone', { ...nothing, passphrase: 'their long passphrase' }, {}, 'not-found', /pgbackup:schedule shop/],
    ['for what was written by hand', { crontab: '0 3 * * * root /root/backup.sh\n' }, {}, 'refused', /postgres:backup-unschedule/],
    [
      'for a schedule that cron reads in its own way',
      { crontab: '0 1/6 * * * dokku /usr/bin/dokku postgres:backup shop bucket \n' },
      {},
      'refused',
      /dokku pgbackup:adopt shop --schedule "/,
    ],
    [
      'for a schedule that was given and is none',
      {},
      { cron: 'every 6h' },
      'usage',
      /dokku pgbackup:adopt shop --schedule "0 \*\/6 \* \* \*"/,
    ],
    ['for a public key of gpg', { publicKey: '0xDEADBEEF' }, {}, 'refused', /--recipients age1/],
    ['for a recipient with a wrong letter', {}, { recipients: [`age1${'q'.repeat(58)}`] }, 'usage', /./],
  ])('%s', async (_, changes, request, code, hint) => {
    const world = worldOf(changes);
    if (changes === undefined) world.legacy = undefined;
    const before = stateOf(world);
    const { error } = await run(world, request);
    expect(error).toMatchObject({ code, hint: expect.stringMatching(hint) });
    expect(stateOf(world)).toEqual(before);
  });

  it('where it has been done already', async () => {
    const world = worldOf();
    await run(world);
    expect((await run(world)).error).toMatchObject({ code: 'not-found', hint: expect.stringContaining('pgbackup:schedules shop') });
  });

  it('while the service is stopped', async () => {
    const world = worldOf();
    stop(world);
    const before = stateOf(world);
    expect((await run(world)).error).toMatchObject({ code: 'refused', hint: expect.stringContaining('postgres:start shop') });
    expect(stateOf(world)).toEqual(before);
  });
});

describe('when something fails, dokku-postgres goes on', () => {
  it('and no storage is left that takes no backup', async () => {
    const world = worldOf();
    const before = stateOf(world);
    world.findings = [
      { id: 'list', title: 'list', state: 'denied', detail: 'not needed for backups', required: false },
      { id: 'write', title: 'write', state: 'denied', detail: 'the bucket is in region eu-west-1, not in eu-west-2', required: true },
    ];
    const { error, transcript } = await run(world);
    expect(error).toMatchObject({
      code: 'storage',
      message: 'No backup can be taken to shop-s3: write',
      hint: expect.stringContaining('eu-west-1'),
    });
    expect(transcript.warnings.join()).toContain('backed up by dokku-postgres as before');
    expect(stateOf(world)).toEqual(before);
    world.findings = [];
    // With the right region it is another storage of the same name.
    expect((await run(world, { region: 'eu-west-1' })).result?.kind).toBe('adopted');
  });

  it('and a storage that was there before stays', async () => {
    const world = worldOf();
    world.others.set(bucket, new MemoryStorage('shop-s3'));
    world.storageConfigs.set(bucket, await configOf());
    world.findings = [{ id: 'write', title: 'write', state: 'denied', detail: '', required: true }];
    expect((await run(world)).error).toMatchObject({ code: 'storage' });
    expect(world.storageConfigs.has(bucket)).toBe(true);
  });

  it('and settings are what they were, where the backup does not reach every storage (exit 3)', async () => {
    const world = worldOf();
    const full = parseStorageName('full');
    world.others.set(full, new MemoryStorage('full'));
    world.disk.settings.set(shop, new Map([['storages', 'local,full']]));
    const { ports: again, faults } = world.boot();
    await adopt(again, { ...wanted, keepOld: true });
    const index = faults.calls.findIndex((call) => call.startsWith('full.put'));
    const struck = worldOf();
    struck.others.set(full, new MemoryStorage('full'));
    struck.disk.settings.set(shop, new Map([['storages', 'local,full']]));
    const { ports: failing, transcript } = struck.boot(new Faults({ index, effect: 'none', scope: 'once' }));
    await expect(adopt(failing, wanted)).rejects.toMatchObject({
      code: 'partial',
      message: expect.stringMatching(/is not in full .*: shop is not taken over/),
      hint: expect.stringContaining('pgbackup:adopt shop'),
    });
    expect([...(struck.disk.settings.get(shop) ?? [])]).toEqual([['storages', 'local,full']]);
    expect(struck.schedules.crontab).toEqual([]);
    expect(struck.legacy?.crontab).toBe(theirs.crontab);
    expect(transcript.warnings.join()).toContain('Storage shop-s3 stays');
    const other = struck.others.get(bucket);
    expect(other && (await keysIn(other, ''))).toHaveLength(2);
  });

  it('and it is said what could not be put back', async () => {
    const world = worldOf();
    const { ports, transcript } = world.boot();
    let writes = 0;
    const settings = {
      ...ports.settings,
      write: async (...args: Parameters<typeof ports.settings.write>): Promise<void> => {
        writes += 1;
        if (writes > 1) throw new Error('the disk is full');
        await ports.settings.write(...args);
      },
    };
    world.schedules.others = 'a bad line';
    await expect(adopt({ ...ports, settings }, wanted)).rejects.toMatchObject({ code: 'dokku' });
    expect(transcript.warnings.join()).toMatch(/could be put back: the disk is full.*dokku pgbackup:report shop/);
    expect(world.legacy?.crontab).toBe(theirs.crontab);
  });
});

/** How the storage will be set up. */
async function configOf(): Promise<Parameters<World['storageConfigs']['set']>[1]> {
  const { result } = await run(worldOf(), { dryRun: true });
  if (result === undefined) throw new Error('no plan was made');
  return result.plan.storage.config;
}

function stop(world: World): void {
  const service = world.dokku.services.get(shop);
  if (service) world.dokku.services.set(shop, { ...service, status: 'exited' });
}
