import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';
import { contentOf, dumpBytes } from '../../twins/content.ts';
import { app } from '../../twins/world.ts';
import { keyPair, seal } from '../crypto/helpers.ts';

let shell: Shell;
beforeEach(() => (shell = new Shell()));
afterEach(forgetDokkuOptions);

describe('pgbackup:restore', () => {
  let id: string;
  beforeEach(async () => {
    id = await shell.run();
    shell.change('broken', 0);
  });

  it.each([
    ['by id', (): string => id],
    ['by --latest', (): string => '--latest'],
  ])('puts a backup back %s', async (_, source) => {
    const said = await shell.dokku(`pgbackup:restore shop ${source()} --confirm shop`);
    expect(said).toMatchObject({ err: expect.stringContaining('Several apps use this service'), exit: 0 });
    expect(shell.live).toBe('old');
    expect(said.out).toMatch(/=====> Restored shop-\S+ into shop\n/);
    expect(said.out).toMatch(/Rows: +565 in 2 tables \(as the manifest says, 2 tables\)\n/);
    expect(said.out).toMatch(/Undo: +dokku pgbackup:undo shop\n/);
  });

  it.each([
    ['', { jobs: 2 }],
    [' --jobs 3', { jobs: 3 }],
    [' --jobs=64', { jobs: 64 }],
  ])('restores with%s jobs as %j', async (options, expected) => {
    await shell.dokku(`pgbackup:restore shop --latest --force${options}`);
    expect(shell.world.postgres.restored).toEqual([{ ...expected, withOwners: true, dropPublic: false }]);
  });

  it('restores with as many jobs as the settings say', async () => {
    await shell.dokku('pgbackup:set shop jobs 7');
    await shell.dokku('pgbackup:restore shop --latest --force');
    expect(shell.world.postgres.restored[0]?.jobs).toBe(7);
  });

  const order = (...names: readonly string[]): string[] => shell.calls.filter((call) => names.some((name) => call.startsWith(name)));

  it('has maintenance on from before the restore until after the swap', async () => {
    await shell.dokku('pgbackup:restore shop --latest --force');
    expect(order('dokku.setMaintenance web', 'server.restore', 'server.swap', 'dokku.stopApp')).toEqual([
      'dokku.setMaintenance web on',
      'server.restore',
      'server.swap',
      'dokku.setMaintenance web off',
    ]);
  });

  it('with --online has maintenance on for the swap alone', async () => {
    await shell.dokku('pgbackup:restore shop --latest --force --online');
    expect(order('dokku.setMaintenance web', 'server.restore', 'server.swap')).toEqual([
      'server.restore',
      'dokku.setMaintenance web on',
      'server.swap',
      'dokku.setMaintenance web off',
    ]);
  });

  it('with --stop-app also stops what runs, and starts it again', async () => {
    const worker = shell.world.dokku.apps.get(app('worker'));
    if (worker) worker.running = false;
    await shell.dokku('pgbackup:restore shop --latest --force --stop-app');
    expect(order('dokku.stopApp', 'server.restore', 'dokku.startApp')).toEqual([
      'dokku.stopApp web',
      'server.restore',
      'dokku.startApp web',
    ]);
  });

  it('leaves maintenance on where it was on before (pitfall 42)', async () => {
    for (const state of shell.world.dokku.apps.values()) state.maintenance = 'on';
    await shell.dokku('pgbackup:restore shop --latest --force');
    expect(order('dokku.setMaintenance')).toEqual([]);
  });

  it('with --into takes the backups of the one and the database of the other', async () => {
    shell.world.addService('staging', []);
    const said = await shell.dokku(`pgbackup:restore shop ${id} --into staging --confirm staging`);
    expect(said.exit).toBe(0);
    expect([shell.live, shell.world.postgres.clusters.get('staging')?.get('staging')?.content.title]).toEqual(['broken', 'old']);
    expect((await shell.dokku(`pgbackup:restore shop ${id} --into staging --confirm shop`)).exit).toBe(5);
  });

  it.each([
    ['select_count(*)_from_users', 0],
    ['select_false', 8],
    ['select_null', 8],
    ['select_1_where_false', 8],
    ['select_nonsense', 8],
  ])('with --check %s ends with %d', async (check, exit) => {
    const said = await shell.dokku(`pgbackup:restore shop --latest --force --check ${check}`);
    expect(said.exit).toBe(exit);
    expect(shell.live).toBe(exit === 0 ? 'old' : 'broken');
    if (exit === 0) expect(said.out).toContain('select count(*) from users: before 0, now 562');
    else expect(said.err).toContain('The live database was not touched');
  });

  it('with --dry-run shows the plan and changes nothing, without being confirmed', async () => {
    const said = await shell.dokku('pgbackup:restore shop --latest --dry-run');
    expect(said.exit).toBe(0);
    expect(said.out).toContain('=====> Dry run: nothing has been changed; without --dry-run the restore would go on');
    expect(shell.calls.filter((call) => /setMaintenance|server\.(create|drop|restore|swap)|journals\.write/.test(call))).toEqual([]);
    expect(shell.live).toBe('broken');
  });

  it('says so where the backup is not encrypted, and backups of the service are by now', async () => {
    const told = `${id} is not encrypted, though backups of shop are by now`;
    expect((await shell.dokku('pgbackup:restore shop --latest --dry-run')).err).not.toContain(told);
    await shell.dokku(`pgbackup:set shop recipients ${keyPair().recipient}`);
    expect((await shell.dokku('pgbackup:restore shop --latest --dry-run')).err).toContain(told);
  });

  it('with --dry-run says what would be refused', async () => {
    shell.world.freeBytes = 1;
    const said = await shell.dokku('pgbackup:restore shop --latest --dry-run');
    expect(said).toMatchObject({ exit: 5, err: expect.stringContaining('Dry run: the restore would be refused: Not enough disk') });
    expect(said.out).not.toContain('would go on');
    const json = await shell.dokku('pgbackup:restore shop --latest --dry-run --format json');
    expect(JSON.parse(json.out).plan.refusals).toHaveLength(1);
    expect(json.exit).toBe(5);
  });

  it.each([
    [
      '',
      /Restore refused: shop already holds 2 tables, and there is no terminal to confirm on\.\n !     To replace them, add: --confirm shop/,
    ],
    [' --confirm web', /--confirm says "web", and the service is shop/],
    [' --confirm Shop', /--confirm says "Shop"/],
    [' --confirm web --force', /--confirm says "web"/],
  ])('with "%s" is not confirmed, ends with 5 and changes nothing (pitfall 27)', async (options, message) => {
    const said = await shell.dokku(`pgbackup:restore shop --latest${options}`);
    expect(said.exit).toBe(5);
    expect(said.err).toMatch(message);
    expect([shell.live, shell.world.disk.journals.size]).toEqual(['broken', 0]);
  });

  it.each(['', '_', '\\!_touch_/tmp/x'])('with --check "%s" is refused before anything is looked at', async (check) => {
    const said = await shell.dokku(`pgbackup:restore shop --latest --force --check ${check}`);
    expect(said.exit).toBe(2);
    expect(shell.calls).toEqual([]);
  });

  it('with a wrong --confirm is refused before the source is read', async () => {
    expect((await shell.dokku('pgbackup:restore shop --latest --confirm web')).exit).toBe(5);
    expect(shell.calls.filter((call) => /sources|postgres/.test(call))).toEqual([]);
  });

  it('puts the apps back before it drops what an earlier restore kept, and has the server write to its disk before that', async () => {
    await shell.dokku('pgbackup:restore shop --latest --force');
    expect(shell.calls.filter((call) => /flush|server\.drop/.test(call))).toEqual([]);
    await shell.dokku('pgbackup:restore shop --latest --force');
    const order = ['server.flush', 'server.swap', 'dokku.setMaintenance', 'server.drop'];
    const last = order.map((name) => shell.calls.findLastIndex((call) => call.startsWith(name)));
    expect(last).toEqual(last.toSorted((x, y) => x - y));
    expect(last[0]).toBeGreaterThan(0);
  });

  it('has the server write to its disk before it swaps under --online: a client that waits for the disk would hold the fence', async () => {
    await shell.dokku('pgbackup:restore shop --latest --force --online');
    const order = ['server.restore', 'server.flush', 'server.swap'].map((name) => shell.calls.findIndex((call) => call.startsWith(name)));
    expect(order).toEqual(order.toSorted((x, y) => x - y));
    expect(order).not.toContain(-1);
  });

  it("is confirmed by Dokku's own --force, given before the command", async () => {
    process.env['DOKKU_APPS_FORCE_DELETE'] = '1';
    expect((await shell.dokku('pgbackup:restore shop --latest')).exit).toBe(0);
    expect(shell.live).toBe('old');
  });

  it.each([
    [(): void => void (shell.world.freeBytes = 1), 5, 'Not enough disk'],
    [(): void => shell.world.dokku.apps.forEach((state) => (state.deployLocked = true)), 5, 'A deploy of web, worker is running'],
  ])('is refused by a guard, and asks for no confirmation then', async (prepare, exit, message) => {
    prepare();
    const said = await shell.dokku('pgbackup:restore shop --latest');
    expect(said).toMatchObject({ exit, err: expect.stringContaining(message) });
    expect(shell.live).toBe('broken');
  });

  it.each([
    ['shop-20200101T000000Z-zzzz', 4, 'Backup shop-20200101T000000Z-zzzz of shop not found'],
    ['/nowhere/at/all', 4, 'no file'],
  ])('of %s ends with %d', async (source, exit, message) => {
    expect(await shell.dokku(`pgbackup:restore shop ${source} --force`)).toMatchObject({ exit, err: expect.stringContaining(message) });
  });

  it('of the latest where there is none ends with 4', async () => {
    shell.world.addService('fresh', []);
    expect(await shell.dokku('pgbackup:restore fresh --latest --force')).toMatchObject({
      exit: 4,
      err: ' !     Service fresh has no backup in memory\n !     Take one: dokku pgbackup:run fresh\n',
    });
  });

  it.each([
    ['--identity /key.txt', 0],
    ['--identity /other.txt --identity /key.txt', 0],
    ['--identity /other.txt', 5],
    ['--passphrase-file /pass', 5],
    ['', 5],
    ['--identity /none', 4],
    ['--identity /pass', 2],
    ['--passphrase-file /key.txt', 2],
  ])('of an encrypted file with %s ends with %d, and touches nothing where it is refused', async (options, exit) => {
    const [key, other] = [keyPair(), keyPair()];
    shell.world.files.set('/key.txt', Buffer.from(key.file));
    shell.world.files.set('/other.txt', Buffer.from(other.file));
    shell.world.files.set('/pass', Buffer.from('secret-word\n'));
    shell.world.files.set('/srv/shop.age', await seal(key.recipient, dumpBytes(contentOf('encrypted', 5))));
    const said = await shell.dokku(`pgbackup:restore shop /srv/shop.age --force --format json ${options}`.trim());
    expect(said.exit).toBe(exit);
    expect(shell.live).toBe(exit === 0 ? 'encrypted' : 'broken');
    if (exit !== 0) expect(order('server.create', 'server.restore', 'dokku.setMaintenance')).toEqual([]);
    expect(said.out + said.err).not.toMatch(/SECRET-KEY-1[A-Z0-9]|secret-word/);
  });

  it('of a file takes its checksum, in either case', async () => {
    const { createHash } = await import('node:crypto');
    const bytes = dumpBytes(contentOf('from a file', 5));
    shell.world.files.set('/srv/shop.dump', bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const right = await shell.dokku(`pgbackup:restore shop /srv/shop.dump --force --sha256 ${sha256.toUpperCase()}`);
    expect(right.exit).toBe(0);
    expect(right.err).not.toContain('no checksum');
    expect(right.out).toContain('no manifest to compare with');
    expect(shell.live).toBe('from a file');
    expect(await shell.dokku(`pgbackup:restore shop /srv/shop.dump --force --sha256 ${'a'.repeat(64)}`)).toMatchObject({
      exit: 5,
      err: expect.stringContaining('not the one given'),
    });
  });

  it.each([
    ['a byte cut off the end', (bytes: Buffer): Buffer => bytes.subarray(0, -1)],
    ['a flipped bit', (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)))],
    ['nothing in it', (): Buffer => Buffer.alloc(0)],
  ])('of a backup with %s ends with 5 before anything is touched', async (_, damage) => {
    const key = `host-a/shop/${id}/archive.dump`;
    const bytes = damage(Buffer.concat(await (await shell.world.storage.get(key)).toArray()));
    await shell.overwrite(key, bytes);
    expect(await shell.dokku(`pgbackup:restore shop ${id} --force`)).toMatchObject({
      exit: 5,
      err: expect.stringContaining(`The archive of backup ${id} is damaged`),
    });
    expect(shell.calls.filter((call) => /setMaintenance|server\.(create|restore|swap)/.test(call))).toEqual([]);
    expect(shell.live).toBe('broken');
  });

  it('of rows other than the manifest says ends with 8, and the live database is not touched', async () => {
    const key = `host-a/shop/${id}/manifest.json`;
    const text = (await shell.world.storage.readText(key)).replace('"rows": 562', '"rows": 563');
    await shell.overwrite(key, Buffer.from(text));
    expect(await shell.dokku(`pgbackup:restore shop ${id} --force`)).toMatchObject({
      exit: 8,
      err: expect.stringContaining('public.users has 562 rows instead of 563'),
    });
    expect(shell.live).toBe('broken');
  });
});

describe('pgbackup:undo', () => {
  it('swaps back, and back again', async () => {
    await shell.run();
    shell.change('written since', 570);
    await shell.dokku('pgbackup:restore shop --latest --force');
    const undone = await shell.dokku('pgbackup:undo web --confirm shop');
    expect(undone.exit).toBe(0);
    expect(undone.out).toContain('Undo this:  dokku pgbackup:undo web');
    expect(shell.live).toBe('written since');
    expect(JSON.parse((await shell.dokku('pgbackup:undo shop --force --format json')).out)).toMatchObject({
      service: 'shop',
      database: 'shop',
      gap: 60,
    });
    expect(shell.live).toBe('old');
  });

  it('without a confirmation ends with 5, and with nothing to undo with 4', async () => {
    expect(await shell.dokku('pgbackup:undo shop --force')).toMatchObject({
      exit: 4,
      err: expect.stringContaining('has no previous database'),
    });
    await shell.run();
    await shell.dokku('pgbackup:restore shop --latest --force');
    expect(await shell.dokku('pgbackup:undo shop')).toMatchObject({ exit: 5, err: expect.stringContaining('--confirm shop') });
  });

  it('goes back as long as there is a database to go back to, however late, and no dry run takes it away', async () => {
    await shell.dokku('pgbackup:set shop keep-previous 2h');
    await shell.run();
    await shell.dokku('pgbackup:restore shop --latest --force');
    shell.world.advance(2 * 3600 + 60);
    await shell.dokku('pgbackup:restore shop --latest --dry-run');
    await shell.dokku('pgbackup:restore shop --latest');
    expect((await shell.dokku('pgbackup:undo shop --force')).exit).toBe(0);
  });

  it('finds nothing any more once a backup after the keep time has dropped it', async () => {
    await shell.dokku('pgbackup:set shop keep-previous 2h');
    await shell.run();
    await shell.dokku('pgbackup:restore shop --latest --force');
    shell.world.advance(2 * 3600 + 60);
    expect((await shell.dokku('pgbackup:run shop')).out).toContain('is dropped now');
    expect((await shell.dokku('pgbackup:undo shop --force')).exit).toBe(4);
    expect([...shell.world.databases.keys()]).toEqual(['template1', 'postgres', 'shop']);
  });
});
