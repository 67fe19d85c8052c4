import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseServiceName } from '../../../src/domain/names.ts';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';
import { app, shop } from '../../twins/world.ts';

let shell: Shell;
beforeEach(() => (shell = new Shell()));
afterEach(forgetDokkuOptions);

const sixHourly = 'pgbackup:schedule shop 0_*/6_*_*_*';

/** The crontab of the world, as `crontab -l` shows it. */
function crontab(): string[] {
  return shell.world.schedules.crontab.map(({ schedule, command }) => `${schedule} ${command}`);
}

async function json(line: string): Promise<Record<string, unknown>[]> {
  return JSON.parse((await shell.dokku(`${line} --format json`)).out);
}

describe('pgbackup:schedule', () => {
  it('puts a line into the crontab, and says when it runs next', async () => {
    shell.world.timeZone = 'Europe/Berlin';
    const said = await shell.dokku(sixHourly);
    expect(said).toMatchObject({ err: '', exit: 0 });
    expect(said.out).toMatch(/^=====> shop is backed up at "0 \*\/6 \* \* \*"\n/);
    // 03:15 UTC is 04:15 there.
    expect(said.out).toMatch(/Next: +2026-11-20 06:00 GMT\+1\n.*Next: +2026-11-20 12:00 GMT\+1\n/);
    const [id] = /[a-z0-9]{4}$/.exec(crontab()[0] ?? '') ?? [];
    expect(crontab()).toEqual([`0 */6 * * * dokku pgbackup:run shop --schedule ${id}`]);
    expect(said.out).toContain(`dokku pgbackup:unschedule shop ${id}\n`);
  });

  it('takes an app for its service, and several schedules with storages and labels of their own', async () => {
    await shell.dokku('pgbackup:schedule web @daily --label kind=daily --storage local');
    await shell.dokku('pgbackup:schedule shop @weekly');
    expect(await json('pgbackup:schedules web')).toMatchObject([
      {
        service: 'shop',
        namedAs: 'web',
        cron: '@daily',
        storages: ['local'],
        labels: { kind: 'daily' },
        serviceExists: true,
        installed: true,
      },
      { service: 'shop', namedAs: 'shop', cron: '@weekly', storages: null, labels: {} },
    ]);
    expect(crontab()).toHaveLength(2);
  });

  it('says that it is there already where the same is asked twice', async () => {
    const [first, again] = [await shell.dokku(`${sixHourly} --quiet`), await shell.dokku(`pgbackup:schedule web 0_*/6__*_*_* --quiet`)];
    expect(again).toEqual(first);
    expect((await shell.dokku(sixHourly)).out).toContain('shop has this schedule already');
    await shell.dokku(`${sixHourly} --label a=b`);
    expect(crontab()).toHaveLength(2);
  });

  it.each([
    ['every_6h', '"0 */6 * * *"'],
    ['hourly', '"0 * * * *"'],
    ['0_*/6_*_*_*_*', '"0 */6 * * *"'],
  ])('refuses "%s" and tells the line to type', async (text, line) => {
    const said = await shell.dokku(`pgbackup:schedule web ${text}`);
    expect(said).toMatchObject({ out: '', exit: 2 });
    expect(said.err).toContain(`dokku pgbackup:schedule web ${line}`);
    expect(shell.world.schedules.files.size).toBe(0);
  });

  it.each([
    ['pgbackup:schedule nope @daily', 4],
    ['pgbackup:schedule shop @daily --storage nope', 4],
    ['pgbackup:schedule shop', 2],
    ['pgbackup:schedule shop 0_0_30_2_*', 2],
    ['pgbackup:schedule shop 0_0_*_*_*;reboot', 2],
    ['pgbackup:schedule shop @daily --label x', 2],
    ['pgbackup:schedule', 2],
  ])('"%s" ends with %d and changes nothing', async (line, exit) => {
    expect((await shell.dokku(line)).exit).toBe(exit);
    expect([shell.world.schedules.files.size, crontab().length]).toEqual([0, 0]);
  });

  it.each(['a bad line', 'a blank line'] as const)(
    'is undone, and says so, where %s of another plugin keeps it out of the crontab (pitfall 43)',
    async (others) => {
      await shell.dokku('pgbackup:schedule shop @weekly');
      const files = new Map(shell.world.schedules.files);
      shell.world.schedules.others = others;
      const said = await shell.dokku(sixHourly);
      expect(said.exit).toBe(9);
      expect(said.err).toContain('The schedules of shop are what they were before');
      expect(said.err).toContain('dokku plugin:trigger cron-entries docker-local');
      expect(shell.world.schedules.files).toEqual(files);
    },
  );

  it('leaves the entries of others in the crontab alone', async () => {
    const other = { schedule: '@daily', command: 'dokku other:run' };
    shell.world.schedules.others = [other];
    await shell.dokku(sixHourly);
    await shell.dokku('pgbackup:unschedule shop');
    expect(shell.world.schedules.crontab).toEqual([other]);
  });

  it('refuses to write over schedules that cannot be read, and goes on with those of others', async () => {
    shell.world.addService('reports', []);
    shell.world.schedules.files.set(shop, '{"version":1,"schedules":[{"id":');
    expect(await shell.dokku(sixHourly)).toMatchObject({ exit: 5, err: expect.stringContaining('pgbackup:unschedule shop --all') });
    expect((await shell.dokku('pgbackup:schedule reports @daily')).exit).toBe(0);
    expect(await shell.dokku('pgbackup:schedules')).toMatchObject({
      exit: 0,
      out: expect.stringContaining('reports'),
      err: expect.stringContaining('The schedules of shop cannot be read'),
    });
    expect((await shell.dokku('pgbackup:unschedule shop')).exit).toBe(5);
    expect((await shell.dokku('pgbackup:unschedule shop --all')).exit).toBe(0);
    expect((await shell.dokku(sixHourly)).exit).toBe(0);
  });
});

describe('pgbackup:unschedule', () => {
  it('ends the only schedule, the one that is named, or all', async () => {
    const id = async (cron: string): Promise<string> => (await shell.dokku(`pgbackup:schedule shop ${cron} --quiet`)).out.trim();
    const first = await id('@daily');
    expect((await shell.dokku('pgbackup:unschedule web')).out).toBe(`=====> shop is no longer backed up at "@daily" (${first})\n`);
    const [second] = [await id('@daily'), await id('@weekly'), await id('@monthly')];
    expect((await shell.dokku(`pgbackup:unschedule shop ${second}`)).exit).toBe(0);
    expect(crontab().map((line) => line.split(' ')[0])).toEqual(['@weekly', '@monthly']);
    expect((await shell.dokku('pgbackup:unschedule shop --all')).exit).toBe(0);
    expect(crontab()).toEqual([]);
    expect(shell.world.schedules.files.size).toBe(0);
  });

  it('asks which of several, and knows no others', async () => {
    await shell.dokku('pgbackup:schedule shop @daily');
    await shell.dokku('pgbackup:schedule shop @weekly');
    const asked = await shell.dokku('pgbackup:unschedule shop');
    expect(asked).toMatchObject({ exit: 2, err: expect.stringMatching(/several schedules: \w{4} \("@daily"\), \w{4} \("@weekly"\)/) });
    expect((await shell.dokku('pgbackup:unschedule shop zzzz')).exit).toBe(4);
    expect((await shell.dokku('pgbackup:unschedule shop zzzz --all')).exit).toBe(2);
    expect((await shell.dokku('pgbackup:unschedule worker nope')).exit).toBe(4);
    expect(crontab()).toHaveLength(2);
  });

  it('says so where there is none', async () => {
    expect(await shell.dokku('pgbackup:unschedule shop')).toMatchObject({ exit: 4, err: expect.stringContaining('shop has no schedules') });
  });

  it('knows the schedules of a service that is gone', async () => {
    await shell.dokku('pgbackup:schedule web @daily');
    shell.world.dokku.services.delete(shop);
    expect(await shell.dokku('pgbackup:schedules')).toMatchObject({
      exit: 0,
      err: expect.stringContaining('there is no Postgres service shop'),
    });
    expect((await shell.dokku('pgbackup:unschedule shop')).exit).toBe(0);
    expect(crontab()).toEqual([]);
  });
});

describe('pgbackup:schedules', () => {
  it('lists them with the next times in the zone of the host', async () => {
    shell.world.timeZone = 'America/New_York';
    await shell.dokku('pgbackup:schedule shop @daily --label kind=daily');
    const { out } = await shell.dokku('pgbackup:schedules');
    expect(out).toMatch(/^ID +SERVICE +SCHEDULE +NEXT +THEN +STORAGES +LABELS\n/);
    expect(out).toMatch(/shop +@daily +2026-11-20 00:00 EST +2026-11-21 00:00 EST +- +kind=daily\n$/);
    expect((await json('pgbackup:schedules'))[0]).toMatchObject({
      timeZone: 'America/New_York',
      next: ['2026-11-20T05:00:00.000Z', '2026-11-21T05:00:00.000Z', '2026-11-22T05:00:00.000Z'],
    });
  });

  it('says what to type where there is none', async () => {
    expect((await shell.dokku('pgbackup:schedules web')).out).toContain('dokku pgbackup:schedule web "0 */6 * * *"');
    expect(await json('pgbackup:schedules')).toEqual([]);
  });

  it('warns of what cron does not know', async () => {
    await shell.dokku('pgbackup:schedule shop @daily');
    shell.world.schedules.crontab = [];
    expect((await shell.dokku('pgbackup:schedules')).err).toContain('is not in the crontab of user dokku');
  });

  it('finds those of an app that is linked elsewhere by now, and asks where there are several', async () => {
    shell.world.addService('reports', [app('board')]);
    await shell.dokku('pgbackup:schedule board @daily');
    const reports = parseServiceName('reports');
    const service = shell.world.dokku.services.get(reports);
    if (service) shell.world.dokku.services.set(reports, { ...service, apps: [] });
    expect(await json('pgbackup:schedules board')).toMatchObject([{ service: 'reports' }]);
    expect((await shell.dokku('pgbackup:schedules nobody')).exit).toBe(4);
  });
});
