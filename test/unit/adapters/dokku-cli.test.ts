import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DokkuCli } from '../../../src/adapters/dokku/dokku-cli.ts';
import { parseServiceName } from '../../../src/domain/names.ts';
import { app } from '../../twins/world.ts';
import { recorded, replayDokku, type Recorded } from '../../tools/recording.ts';

const said = (command: string, which = 0): Recorded => {
  const found = recorded(`dokku ${command}`)[which];
  if (!found) throw new Error(`not recorded so often: ${command}`);
  return found;
};
const dokku = new DokkuCli('/home/dokku');
const shop = parseServiceName('shop');
const nothing: Recorded = { exit: 0, out: '', err: '' };

describe('Dokku as it was recorded', () => {
  it('gives a service', async () => {
    using _ = replayDokku({ 'postgres:info shop': said('postgres:info shop') });
    expect(await dokku.service(shop)).toMatchObject({ name: 'shop', status: 'running', apps: ['web'] });
  });

  it('knows no service of an unknown name: exit 1', async () => {
    using _ = replayDokku({ 'postgres:info nope': said('postgres:info nope') });
    expect(await dokku.service(parseServiceName('nope'))).toBeUndefined();
  });

  it('without the postgres plugin is an error that says so', async () => {
    using _ = replayDokku({ 'postgres:info shop': said('nope:cmd') });
    await expect(dokku.service(shop)).rejects.toMatchObject({
      code: 'dokku',
      message: expect.stringMatching(/^dokku postgres:info shop failed \(exit 1\): `nope:cmd` is not a dokku command\./),
      hint: expect.stringContaining('plugin:list'),
    });
  });

  it('that is not installed is an error that says so', async () => {
    const before = process.env['PATH'];
    process.env['PATH'] = '/nonexistent';
    try {
      await expect(dokku.service(shop)).rejects.toMatchObject({ code: 'dokku', message: 'Cannot run dokku' });
    } finally {
      process.env['PATH'] = before;
    }
  });

  it('tells the services of an app: one, none, and no such app (exit 20)', async () => {
    using _ = replayDokku({
      'apps:exists web': said('apps:exists web'),
      'apps:exists blank': nothing,
      'apps:exists nope': said('apps:exists nope'),
      'postgres:app-links web': said('postgres:app-links web'),
      'postgres:app-links blank': said('postgres:app-links blank'),
      'postgres:app-links nope': nothing,
    });
    expect(await dokku.appServices(app('web'))).toEqual(['shop']);
    expect(await dokku.appServices(app('blank'))).toEqual([]);
    expect(await dokku.appServices(app('nope'))).toBeUndefined();
  });

  it('that says HEAD is asked for the commit in other ways', async () => {
    using replay = replayDokku({
      'git:report web': said('git:report web'),
      'config:get web GIT_REV': said('config:get web GIT_REV'),
      'apps:report web --format json': said('apps:report web --format json'),
    });
    expect(await dokku.revision(app('web'))).toEqual({
      name: 'web',
      sha: '273c289c47047bea84ff9cd1ab2d4334ea74b838',
      shaSource: 'config',
      deployBranch: 'main',
      lastUpdatedAt: '2026-11-20T15:05:21.000Z',
    });
    expect(replay.calls()).toContain('config:get web GIT_REV');
  });

  it('is asked for the commit by the name that git:report gives the variable', async () => {
    const report = { ...said('git:report web'), out: said('git:report web').out.replace('GIT_REV', 'SOURCE_VERSION') };
    using _ = replayDokku({
      'git:report web': report,
      'config:get web SOURCE_VERSION': said('config:get web GIT_REV'),
      'apps:report web --format json': nothing,
    });
    expect(await dokku.revision(app('web'))).toMatchObject({ sha: '273c289c47047bea84ff9cd1ab2d4334ea74b838', shaSource: 'config' });
  });

  it('knows no commit of an app never deployed, where config:get exits 1 and says nothing', async () => {
    using _ = replayDokku({
      'git:report blank': said('git:report blank'),
      'config:get blank GIT_REV': said('config:get blank NOPE'),
      'apps:report blank --format json': nothing,
    });
    expect(await dokku.revision(app('blank'))).toEqual({
      name: 'blank',
      sha: null,
      shaSource: null,
      deployBranch: 'master',
      lastUpdatedAt: null,
    });
  });

  it('knows no commit of an app that went away meanwhile, and that is no failure', async () => {
    using _ = replayDokku({
      'git:report nope': said('git:report nope'),
      'config:get nope GIT_REV': said('git:report nope'),
      'apps:report nope --format json': said('git:report nope'),
    });
    expect(await dokku.revision(app('nope'))).toMatchObject({ sha: null, shaSource: null });
  });

  it('tells whether an app is in maintenance, and whether there is the plugin for it', async () => {
    const on = said('maintenance:report web').out.replace('false', 'true ');
    const missing = {
      exit: 1,
      out: '',
      err: ' !     `maintenance:report` is not a dokku command.\n !     See `dokku help` for a list of available commands.\n',
    };
    using _ = replayDokku({
      'maintenance:report web': said('maintenance:report web'),
      'maintenance:report blank': { ...nothing, out: on },
      'maintenance:report other': missing,
      'maintenance:report nope': said('maintenance:enable nope'),
    });
    expect(await dokku.maintenance(app('web'))).toBe('off');
    expect(await dokku.maintenance(app('blank'))).toBe('on');
    expect(await dokku.maintenance(app('other'))).toBe('unavailable');
    await expect(dokku.maintenance(app('nope'))).rejects.toMatchObject({
      code: 'dokku',
      message: 'dokku maintenance:report nope failed (exit 20): App nope does not exist',
    });
  });

  it('is not taken to have failed by what nginx writes to stderr, nor by maintenance that was already so', async () => {
    using replay = replayDokku({
      'maintenance:enable web': said('maintenance:enable web'),
      'maintenance:disable web': said('maintenance:disable web', 1),
    });
    expect(said('maintenance:enable web').err).toContain('[notice]');
    await dokku.setMaintenance(app('web'), true);
    await dokku.setMaintenance(app('web'), false);
    expect(replay.calls().filter((call) => call !== '')).toEqual(['maintenance:enable web', 'maintenance:disable web']);
  });

  it('is an error where it refuses', async () => {
    using _ = replayDokku({ 'maintenance:enable nope': said('maintenance:enable nope') });
    await expect(dokku.setMaintenance(app('nope'), true)).rejects.toMatchObject({
      code: 'dokku',
      message: 'dokku maintenance:enable nope failed (exit 20): App nope does not exist',
    });
  });

  it('tells whether a deploy has locked an app: exit 0 or 1', async () => {
    using _ = replayDokku({ 'apps:locked web': said('apps:locked web'), 'apps:locked blank': said('apps:locked web', 1) });
    expect([await dokku.deployLocked(app('web')), await dokku.deployLocked(app('blank'))]).toEqual([false, true]);
  });

  it('tells whether an app runs: wholly, partly or not', async () => {
    const running = said('ps:report web');
    const as = (word: string): Recorded => ({ ...running, out: running.out.replace(/(\n +Running: +)true/, `$1${word}`) });
    using _ = replayDokku({
      'ps:report web': running,
      'ps:report mixed': as('mixed'),
      'ps:report off': as('false'),
      'ps:report nope': said('git:report nope'),
    });
    expect([
      await dokku.running(app('web')),
      await dokku.running(app('mixed')),
      await dokku.running(app('off')),
      await dokku.running(app('nope')),
    ]).toEqual([true, true, false, false]);
  });

  it('stops and starts an app never deployed without an error, as it says on stderr', async () => {
    using _ = replayDokku({ 'ps:stop blank': said('ps:stop blank'), 'ps:start blank': said('ps:start blank') });
    await dokku.stopApp(app('blank'));
    await dokku.startApp(app('blank'));
  });

  it('is not traced, hushed or turned to another app by what Dokku told us', async () => {
    Object.assign(process.env, { DOKKU_TRACE: '1', DOKKU_QUIET_OUTPUT: '1', DOKKU_APP_NAME: 'other' });
    try {
      using replay = replayDokku({ 'apps:locked web': said('apps:locked web') });
      await dokku.deployLocked(app('web'));
      expect(replay.calls()).toEqual(['apps:locked web', '']);
    } finally {
      for (const name of ['DOKKU_TRACE', 'DOKKU_QUIET_OUTPUT', 'DOKKU_APP_NAME']) delete process.env[name];
    }
  });
});

describe("the migrations between two commits of an app's repository", () => {
  let root: string;
  const commits: string[] = [];
  const migrations = [
    'db/migrate/1.rb',
    'src/main/resources/db/migration/V1__a.sql',
    'app/migrations/0001.py',
    'db/changelog/master.xml',
    'alembic/versions/a.py',
    'Migrations/1.cs',
    'migrations/1.sql',
  ];

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'pgbackup-repo-'));
    const work = join(root, 'work');
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', work, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { encoding: 'utf8' }).trim();
    mkdirSync(work);
    git('init', '-q');
    for (const files of [['README', 'app/model.py'], migrations, ['app/view.py']]) {
      for (const file of files) {
        mkdirSync(dirname(join(work, file)), { recursive: true });
        writeFileSync(join(work, file), `${commits.length}`);
      }
      git('add', '.');
      git('commit', '-qm', 'x');
      commits.push(git('rev-parse', 'HEAD'));
    }
    execFileSync('git', ['clone', '-q', '--bare', work, join(root, 'web')]);
  });

  afterAll(() => rmSync(root, { recursive: true }));

  const between = (from: number, to: number): Promise<readonly string[] | undefined> =>
    new DokkuCli(root).changedMigrations(app('web'), commits[from] ?? '', commits[to] ?? '');

  it('are found where the usual frameworks keep them', async () => {
    expect([...((await between(0, 1)) ?? [])].toSorted()).toEqual(migrations.toSorted());
    expect([...((await between(2, 0)) ?? [])].toSorted()).toEqual(migrations.toSorted());
  });

  it('are none where only code differs', async () => expect(await between(1, 2)).toEqual([]));

  it('are found by short commits, too', async () => {
    expect(
      await new DokkuCli(root).changedMigrations(app('web'), commits[0]?.slice(0, 10) ?? '', commits[1]?.slice(0, 10) ?? ''),
    ).toHaveLength(migrations.length);
  });

  it('are unknown where the repository does not know a commit, or is not there', async () => {
    expect(await new DokkuCli(root).changedMigrations(app('web'), 'a'.repeat(40), commits[1] ?? '')).toBeUndefined();
    expect(await new DokkuCli(root).changedMigrations(app('gone'), commits[0] ?? '', commits[1] ?? '')).toBeUndefined();
  });
});
