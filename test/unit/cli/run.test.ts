import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { give } from '../../tools/command.ts';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';
import { app, shop } from '../../twins/world.ts';

let shell: Shell;
beforeEach(() => (shell = new Shell()));
afterEach(forgetDokkuOptions);

describe('pgbackup:run', () => {
  it.each([
    ['pgbackup:run shop', { labels: {}, note: null, schemas: [] }],
    ['pgbackup:run web', { labels: {} }],
    ['pgbackup:run web --service shop', { labels: {} }],
    ['pgbackup:run shop --label level=1200 --label kind=pre-deploy', { labels: { level: '1200', kind: 'pre-deploy' } }],
    ['pgbackup:run shop --label a=', { labels: { a: '' } }],
    ['pgbackup:run shop --label constructor=x', { labels: { constructor: 'x' } }],
    ['pgbackup:run shop --note before_the_migration', { note: 'before the migration' }],
    ['pgbackup:run shop --note --force', { note: '--force' }],
    ['pgbackup:run shop --schema public --schema Odd_schema', { schemas: ['public', 'Odd schema'] }],
    ['pgbackup:run --note=x shop', { note: 'x' }],
    ['run shop', { note: null }],
  ])('%s takes what was asked for', async (line, expected) => {
    const said = await shell.dokku(`${line} --format json`);
    expect(said).toMatchObject({ err: '', exit: 0 });
    expect(JSON.parse(said.out)).toMatchObject({ ...expected, service: { name: 'shop' }, tool: { version: '0.1.0' } });
    expect(JSON.parse((await shell.dokku('pgbackup:info shop --format json')).out)).toMatchObject(expected);
  });

  it('dumps as the settings say', async () => {
    await shell.dokku('pgbackup:set shop compression-level 9');
    await shell.dokku('pgbackup:set --global lock-timeout 5m');
    await shell.run();
    expect(shell.world.postgres.dumped).toEqual([{ schemas: [], compressionLevel: 9, lockTimeout: 300 }]);
  });

  it('begins anew where a table was truncated meanwhile: the dump and the counting may have seen different things', async () => {
    shell.world.postgres.rewritten.push(['public.users']);
    const said = await shell.dokku('pgbackup:run shop');
    expect(said).toMatchObject({ exit: 0, err: expect.stringContaining('public.users was truncated or rewritten while the backup ran') });
    expect(shell.calls.filter((call) => call === 'snapshot.dump')).toHaveLength(2);
    expect((await shell.dokku('pgbackup:verify shop')).exit).toBe(0);
    shell.world.postgres.rewritten.push(['public.users'], ['public.users', 'public.a']);
    const twice = await shell.dokku('pgbackup:run shop');
    expect(twice).toMatchObject({ exit: 9, err: expect.stringContaining('now for the second time') });
    expect(JSON.parse((await shell.dokku('pgbackup:list shop --format json')).out)).toHaveLength(1);
  });

  it('lists nothing whose archive is no longer where the manifest went: a disk was exchanged meanwhile', async () => {
    const head = vi.spyOn(shell.world.storage, 'head').mockResolvedValue(undefined);
    expect(await shell.dokku('pgbackup:run shop')).toMatchObject({
      exit: 7,
      err: expect.stringContaining('no longer where its manifest is'),
    });
    expect(head).toHaveBeenCalledOnce();
    head.mockRestore();
    expect(JSON.parse((await shell.dokku('pgbackup:list shop --format json')).out)).toEqual([]);
  });

  it('says what it did and how to go back', async () => {
    const { out, err } = await shell.dokku('pgbackup:run web');
    expect(err).toBe('');
    expect(out).toMatch(/^-----> Backing up shop \(PostgreSQL 18\.1, database shop\)\n=====> Backup shop-\S+ is taken and proven\n/);
    expect(out).toMatch(/Rows: +565 in 2 tables\n/);
    expect(out).toMatch(/Code: +web at 273c289c47047bea84ff9cd1ab2d4334ea74b838 on main/);
    expect(out).toMatch(/Restore it: +dokku pgbackup:restore shop shop-\S+\n$/);
  });

  it.each(['--quiet', ''])('says the id and no more when quiet, whether told by "%s" or by Dokku', async (flag) => {
    if (flag === '') process.env['DOKKU_QUIET_OUTPUT'] = '1';
    expect((await shell.dokku(`pgbackup:run shop ${flag}`.trim())).out).toMatch(/^shop-\d{8}T\d{6}Z-[a-z0-9]{4}\n$/);
  });

  it.each([
    ['pgbackup:run nope', 4, 'There is no app and no Postgres service called "nope"'],
    ['pgbackup:run Not/a/name', 4, 'There is no app and no Postgres service'],
    ['pgbackup:run blank', 4, 'App blank is linked to no Postgres service'],
    ['pgbackup:run web --service nope', 4, 'called "nope"'],
    ['pgbackup:run other --service shop', 2, 'Service shop is not linked to other'],
    ['pgbackup:run web --service Not/a/name', 2, 'cannot be the name of a Postgres service'],
    ['pgbackup:run shop --schema nope', 4, 'has no schema "nope"'],
  ])('%s ends with %d', async (line, exit, message) => {
    shell.world.dokku.apps.set(app('blank'), { maintenance: 'off', running: true, deployLocked: false, sha: null, migrations: undefined });
    const said = await shell.dokku(line);
    expect(said).toMatchObject({ out: expect.not.stringContaining('====='), exit });
    expect(said.err).toContain(message);
  });

  it('of an app with several services asks which', async () => {
    shell.world.addService('reports', [app('web')]);
    const said = await shell.dokku('pgbackup:run web');
    expect(said.exit).toBe(2);
    expect(said.err).toBe(' !     App web is linked to several services: shop, reports\n !     Say which: --service shop\n');
    expect(JSON.parse((await shell.dokku('pgbackup:run web --service reports --format json')).out).service.name).toBe('reports');
  });

  it.each(['missing', 'exited', 'restarting'])('of a service that is %s ends with 5 and the line to type (pitfall 9)', async (status) => {
    const service = shell.world.dokku.services.get(shop);
    if (service) shell.world.dokku.services.set(shop, { ...service, status });
    const said = await shell.dokku('pgbackup:run shop');
    expect(said.exit).toBe(5);
    expect(said.err).toMatch(/dokku postgres:(start|logs) shop/);
  });

  it('beside another operation ends with 6', async () => {
    const { ports } = shell.world.boot();
    await using _lock = await ports.locks.acquire(shop, 'restore');
    const said = await give(['pgbackup:run', 'shop'], () => ports);
    expect(said).toMatchObject({ exit: 6, err: expect.stringContaining('busy: restore') });
  });
});
