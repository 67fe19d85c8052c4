import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { give, type Said } from '../../tools/command.ts';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';
import { Faults, type Fault } from '../../twins/faults.ts';
import { shop } from '../../twins/world.ts';

let shell: Shell;
beforeEach(() => (shell = new Shell()));
afterEach(forgetDokkuOptions);

describe('the catalog', () => {
  it('lists, oldest first, with and without a target, and in JSON', async () => {
    const first = await shell.run(' --label level=1');
    shell.world.advance(60);
    const second = await shell.run();
    const ids = (said: Said): string[] => JSON.parse(said.out).map((entry: { id: string }) => entry.id);
    expect(ids(await shell.dokku('pgbackup:list shop --format json'))).toEqual([first, second]);
    expect(ids(await shell.dokku('pgbackup:list --format json'))).toEqual([first, second]);
    const text = await shell.dokku('pgbackup:list web');
    expect(text.out.split('\n').map((line) => line.split(' ')[0])).toEqual(['ID', first, second, '']);
    expect(text.out).toContain('level=1');
    expect((await shell.dokku('pgbackup:list shop --quiet')).out).not.toContain('TAKEN');
  });

  it('lists nothing where there is nothing', async () => {
    expect(await shell.dokku('pgbackup:list shop')).toEqual({
      out: '       No backups in memory. Take one: dokku pgbackup:run shop\n',
      err: '',
      exit: 0,
    });
    expect((await shell.dokku('pgbackup:list --format json')).out).toBe('[]\n');
  });

  it('lists the backups of a service that is gone', async () => {
    const id = await shell.run();
    shell.world.dokku.services.delete(shop);
    expect((await shell.dokku('pgbackup:list shop')).out).toContain(id);
    expect((await shell.dokku(`pgbackup:info shop ${id}`)).exit).toBe(0);
  });

  it('tells of a manifest that cannot be read, and lists the rest', async () => {
    const id = await shell.run();
    await shell.overwrite('host-a/shop/shop-20250101T000000Z-aaaa/manifest.json', Buffer.from('{'));
    const said = await shell.dokku('pgbackup:list shop');
    expect(said).toMatchObject({
      exit: 0,
      out: expect.stringContaining(id),
      err: expect.stringContaining('shop-20250101T000000Z-aaaa/manifest.json is not JSON'),
    });
    expect((await shell.dokku('pgbackup:info shop')).exit).toBe(0);
    expect(await shell.dokku('pgbackup:info shop shop-20250101T000000Z-aaaa')).toMatchObject({ exit: 5 });
  });

  it('never takes an older backup for the newest where the newest cannot be read', async () => {
    await shell.run();
    shell.world.advance(60);
    const second = await shell.run();
    await shell.overwrite(`host-a/shop/${second}/manifest.json`, Buffer.from('{'));
    expect(await shell.dokku('pgbackup:restore shop --latest --force')).toMatchObject({
      exit: 5,
      err: expect.stringContaining('The newest backup of shop cannot be read'),
    });
  });

  it("never takes another host's backup for the newest, where two share a storage (pitfall 23)", async () => {
    const own = await shell.run();
    shell.world.advance(60);
    shell.world.hostId = 'host-b';
    const foreign = await shell.run();
    shell.world.hostId = 'host-a';
    expect((await shell.dokku('pgbackup:info shop')).out).toContain(`=====> Backup ${own}`);
    expect((await shell.dokku('pgbackup:restore shop --latest --force')).out).toContain(`Restored ${own} into shop`);
    expect((await shell.dokku('pgbackup:list shop')).out).toMatch(new RegExp(`${foreign} .*host-b`));
    expect((await shell.dokku(`pgbackup:info shop ${foreign}`)).exit).toBe(0);
    expect(await shell.dokku(`pgbackup:delete shop ${own} --confirm ${own}`)).toMatchObject({
      exit: 5,
      err: expect.stringContaining('newest proven backup'),
    });
  });

  it("takes no other host's backup by itself, but tells its id (pitfall 23)", async () => {
    shell.world.hostId = 'host-b';
    const foreign = await shell.run();
    shell.world.hostId = 'host-a';
    expect(await shell.dokku('pgbackup:restore shop --latest --force')).toMatchObject({
      exit: 4,
      err: expect.stringContaining(`give its id: ${foreign}`),
    });
  });

  it('shows one backup, the newest or the one named, with its tables where asked', async () => {
    const first = await shell.run(' --note first_one');
    shell.world.advance(60);
    const second = await shell.run();
    expect((await shell.dokku('pgbackup:info shop')).out).toContain(`=====> Backup ${second}`);
    const said = await shell.dokku(`pgbackup:info shop ${first} --tables`);
    expect(said.out).toMatch(/Note: +first one\n/);
    expect(said.out).toMatch(/public +users +562\n/);
    expect((await shell.dokku('pgbackup:info shop _')).exit).toBe(4);
  });

  it('verifies one, the newest or all', async () => {
    const first = await shell.run();
    shell.world.advance(60);
    const second = await shell.run();
    expect((await shell.dokku('pgbackup:verify shop')).out).toContain('=====> 1 of 1 backups are whole');
    expect((await shell.dokku(`pgbackup:verify shop ${first}`)).out).toContain(`Verifying ${first}`);
    expect((await shell.dokku('pgbackup:verify shop --all')).out).toContain('=====> 2 of 2 backups are whole');
    expect((await shell.dokku(`pgbackup:verify shop ${first} --all`)).exit).toBe(2);
    await shell.world.storage.delete(`host-a/shop/${second}/archive.dump`);
    expect(await shell.dokku('pgbackup:verify shop')).toMatchObject({
      exit: 8,
      err: expect.stringContaining(`The archive of backup ${second} is gone`),
    });
    expect(await shell.dokku('pgbackup:verify shop --all')).toMatchObject({
      exit: 8,
      err: expect.stringContaining(`1 of 2 backups are damaged: ${second}`),
    });
  });

  it.each([0, 1])(
    'with --all counts a backup whose manifest cannot be read among the damaged, be it the oldest or the newest',
    async (which) => {
      const ids = [await shell.run()];
      shell.world.advance(60);
      ids.push(await shell.run());
      const lost = ids[which] ?? '';
      await shell.overwrite(`host-a/shop/${lost}/manifest.json`, Buffer.from('{'));
      const said = await shell.dokku('pgbackup:verify shop --all');
      expect(said).toMatchObject({ exit: 8, err: expect.stringContaining(`1 of 2 backups are damaged: ${lost}`) });
      expect(said.out).toContain('=====> 1 of 2 backups are whole');
      const json = await shell.dokku('pgbackup:verify shop --all --format json');
      expect(JSON.parse(json.out)).toMatchObject({ verified: [{ id: ids[1 - which] }], failed: [{ id: lost }] });
    },
  );

  it('calls nothing damaged that could not be looked at', async () => {
    await shell.run();
    shell.world.advance(60);
    await shell.run();
    await shell.dokku('pgbackup:verify shop --all');
    const fault: Fault = { index: shell.calls.indexOf('postgres.decodeOffline'), effect: 'none', scope: 'once' };
    const said = await give(['pgbackup:verify', 'shop', '--all'], () => shell.world.boot(new Faults(fault)).ports);
    expect(said).toMatchObject({ exit: 9, err: expect.stringContaining('injected') });
    expect(said.err).not.toContain('damaged');
    expect((await shell.dokku('pgbackup:verify nothing --all')).exit).toBe(4);
  });

  it('marks backups of some schemas, and takes none of them for the newest', async () => {
    const whole = await shell.run();
    expect((await shell.dokku('pgbackup:list shop')).out).not.toContain('SCHEMAS');
    shell.world.advance(60);
    const part = await shell.run(' --schema public');
    const { out } = await shell.dokku('pgbackup:list shop');
    expect(out).toMatch(new RegExp(`${whole} .* all\n`));
    expect(out).toMatch(new RegExp(`${part} .* public\n`));
    expect((await shell.dokku('pgbackup:info shop')).out).toContain(`=====> Backup ${whole}`);
    expect(await shell.dokku(`pgbackup:delete shop ${whole} --confirm ${whole}`)).toMatchObject({ exit: 5 });
    expect((await shell.dokku(`pgbackup:delete shop ${part} --confirm ${part}`)).exit).toBe(0);
    expect((await shell.dokku('pgbackup:restore shop --latest --force')).exit).toBe(0);
  });

  it('deletes what is left of a backup whose manifest cannot be read, and leaves others alone', async () => {
    const first = await shell.run();
    shell.world.advance(60);
    const second = await shell.run();
    await shell.overwrite(`host-a/shop/${second}/manifest.json`, Buffer.from('{'));
    expect(await shell.dokku(`pgbackup:delete shop ${second}`)).toMatchObject({
      exit: 5,
      err: expect.stringContaining(`--confirm ${second}`),
    });
    expect((await shell.dokku(`pgbackup:delete shop ${second} --confirm ${second}`)).exit).toBe(0);
    expect(await shell.dokku('pgbackup:list shop')).toMatchObject({ err: '', out: expect.stringContaining(first) });
    expect((await shell.dokku('pgbackup:verify shop --all')).out).toContain('1 of 1 backups are whole');
  });

  it('deletes one: by its id typed, never the newest without force, and nothing else', async () => {
    const first = await shell.run();
    shell.world.advance(60);
    const second = await shell.run();
    expect(await shell.dokku(`pgbackup:delete shop ${first}`)).toMatchObject({
      exit: 5,
      err: expect.stringContaining(`--confirm ${first}`),
    });
    expect(await shell.dokku(`pgbackup:delete shop ${second} --confirm ${second}`)).toMatchObject({
      exit: 5,
      err: expect.stringContaining('is the newest proven backup of shop'),
    });
    expect((await shell.dokku(`pgbackup:delete shop ${first} --confirm ${second}`)).exit).toBe(5);
    expect(await shell.dokku(`pgbackup:delete shop ${first} --confirm ${first} --format json`)).toMatchObject({
      exit: 0,
      out: `{"deleted":"${first}"}\n`,
    });
    expect((await shell.dokku('pgbackup:list shop')).out).not.toContain(first);
    expect((await shell.dokku('pgbackup:verify shop')).exit).toBe(0);
    expect((await shell.dokku(`pgbackup:delete shop ${second} --force`)).exit).toBe(0);
    expect((await shell.dokku(`pgbackup:delete shop ${second} --force`)).exit).toBe(4);
  });
});

describe('settings and reports', () => {
  it.each([
    ['pgbackup:set shop jobs 2', 'shop', 'jobs', '2'],
    ['pgbackup:set web jobs 2', 'shop', 'jobs', '2'],
    ['pgbackup:set --global backup-dir /mnt/my_backups', '--global', 'backup-dir', '/mnt/my backups'],
    ['pgbackup:set backup-dir /mnt/b --global', '--global', 'backup-dir', '/mnt/b'],
    ['pgbackup:set web jobs 2 --service shop', 'shop', 'jobs', '2'],
  ])('%s', async (line, scope, key, value) => {
    expect((await shell.dokku(line)).exit).toBe(0);
    expect(shell.world.disk.settings.get(scope)?.get(key)).toBe(value);
    expect((await shell.dokku(line.replace(` ${value.replaceAll(' ', '_')}`, ''))).out).toContain('is back to its default');
    expect(shell.world.disk.settings.get(scope)?.has(key)).toBe(false);
  });

  it.each([
    ['pgbackup:set', 2, 'Name a service, an app, or --global'],
    ['pgbackup:set shop', 2, 'Name a setting'],
    ['pgbackup:set --global', 2, 'Name a setting'],
    ['pgbackup:set shop nope 1', 2, 'There is no setting "nope"'],
    ['pgbackup:set shop jobs many', 2, 'jobs "many"'],
    ['pgbackup:set shop jobs 2 --global', 2, 'either a target or --global'],
    ['pgbackup:set nope jobs 2', 4, 'called "nope"'],
  ])('%s ends with %d and sets nothing', async (line, exit, message) => {
    expect(await shell.dokku(line)).toMatchObject({ exit, err: expect.stringContaining(message) });
    expect(shell.world.disk.settings.size).toBe(0);
  });

  it('reports settings and state, as text and JSON, of one service or of all', async () => {
    await shell.dokku('pgbackup:set --global jobs 2');
    const id = await shell.run();
    const { out } = await shell.dokku('pgbackup:report web');
    expect(out).toMatch(/^=====> shop pgbackup information\n/);
    expect(out).toMatch(/^ {7}Pgbackup jobs: +2$/m);
    expect(out).toMatch(new RegExp(`^ {7}Pgbackup newest backup: +${id}$`, 'm'));
    const report = JSON.parse((await shell.dokku('pgbackup:report shop --format json')).out);
    expect(report).toMatchObject({ service: 'shop', backups: 1, newest: id, previous: null, unfinished: null });
    expect(report.settings).toContainEqual({ key: 'jobs', own: '', global: '2', effective: '2' });
    expect(JSON.parse((await shell.dokku('pgbackup:report --format json')).out)).toHaveLength(1);
  });

  it('logs what was done and how it ended', async () => {
    await shell.run();
    await shell.dokku('pgbackup:restore shop --latest');
    const entries = JSON.parse((await shell.dokku('pgbackup:log --format json')).out);
    expect(entries).toMatchObject([
      { service: 'shop', operation: 'backup', outcome: 'ok' },
      { operation: 'restore', outcome: 'failed', message: expect.stringContaining('Restore refused') },
    ]);
    expect(JSON.parse((await shell.dokku('pgbackup:log shop --last 1 --format json')).out)).toHaveLength(1);
    expect(JSON.parse((await shell.dokku('pgbackup:log web --format json')).out)).toHaveLength(2);
    expect((await shell.dokku('pgbackup:log nosuch')).exit).toBe(4);
    shell.world.dokku.services.delete(shop);
    expect(JSON.parse((await shell.dokku('pgbackup:log shop --format json')).out)).toHaveLength(2);
    expect((await shell.dokku('pgbackup:log --last 0')).exit).toBe(2);
  });

  it('says that nothing was done where nothing was', async () => {
    expect((await shell.dokku('pgbackup:log shop')).out).toBe('       Nothing has been done yet\n');
  });

  it('logs what was deleted', async () => {
    const first = await shell.run();
    shell.world.advance(60);
    await shell.run();
    await shell.dokku(`pgbackup:delete shop ${first} --confirm ${first}`);
    expect(JSON.parse((await shell.dokku('pgbackup:log shop --last 1 --format json')).out)).toMatchObject([
      { operation: 'delete', id: first, outcome: 'ok' },
    ]);
  });

  it('restores a backup of a service that is gone into another, and says how where none is named', async () => {
    const id = await shell.run();
    shell.world.addService('second', []);
    shell.world.dokku.services.delete(shop);
    expect(await shell.dokku('pgbackup:restore shop --latest --force')).toMatchObject({
      exit: 4,
      err: expect.stringContaining('dokku postgres:create shop'),
    });
    expect((await shell.dokku('pgbackup:restore shop --latest --into second --force')).out).toContain(`Restored ${id} into second`);
  });

  it('tells before a restore that the previous database of the one before will be dropped', async () => {
    await shell.run();
    expect((await shell.dokku('pgbackup:restore shop --latest --force')).err).not.toContain('Only one previous database is kept');
    expect((await shell.dokku('pgbackup:restore shop --latest --dry-run')).err).toContain('Only one previous database is kept');
  });

  it('cleans up after an operation that was cut off', async () => {
    expect((await shell.dokku('pgbackup:doctor shop')).out).toBe('=====> Nothing was left undone on shop\n');
    const dead = shell.world.boot(new Faults({ index: 14, effect: 'none', scope: 'process' }));
    await give(['pgbackup:run', 'shop'], () => dead.ports);
    expect(shell.world.disk.journals.size).toBe(1);
    expect((await shell.dokku('pgbackup:doctor shop')).out).toMatch(/=====> shop-\S+ is cleaned up\n$/);
    expect(shell.world.disk.journals.size).toBe(0);
  });
});
