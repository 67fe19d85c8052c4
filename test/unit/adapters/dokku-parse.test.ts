import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSha, makeRevision, parseGitReport, shaOfAppReport } from '../../../src/adapters/dokku/parse-git.ts';
import { parseDsn, parseReport, parseServiceInfo } from '../../../src/adapters/dokku/parse-info.ts';
import { isAppName, parseServiceName, type AppName } from '../../../src/domain/names.ts';
import { fixture, recorded } from '../../tools/recording.ts';

const web = ((name: string): AppName => {
  if (!isAppName(name)) throw new Error('web is an app');
  return name;
})('web');
const long = '273c289c47047bea84ff9cd1ab2d4334ea74b838';

describe('what postgres:info prints', () => {
  it('is understood as 0.38.27 prints it', () => {
    expect(parseServiceInfo(parseServiceName('shop'), recorded('dokku postgres:info shop')[0].out)).toEqual({
      name: 'shop',
      login: { user: 'postgres', password: '7f28108d868b7eb8238016530993ef6c', database: 'shop' },
      status: 'running',
      image: 'postgres:18.4',
      containerId: 'e8e727f61603fc189b6c9c4f987b5706bf0de8e202508fd3f2c6c9b2c10d80dc',
      apps: ['web'],
      root: '/var/lib/dokku/services/postgres/shop',
    });
  });

  it('is understood as it was printed in 2023, with a database not called like its service (pitfall 10)', () => {
    expect(parseServiceInfo(parseServiceName('happycows-db'), fixture('postgres-info-2023.txt'))).toEqual({
      name: 'happycows-db',
      login: { user: 'postgres', password: '23d453c5b7d486fc48520f3e5b7977019a1ed6a', database: 'happycows_db' },
      status: 'running',
      image: 'postgres:15.2',
      containerId: '0bbae7efa24b7fd3973e5a14a3c4a4e85bc8970b5f84c852e9cccf9ccc90199c',
      apps: ['happycows'],
      root: '/var/lib/dokku/services/postgres/happycows-db',
    });
  });

  it('after postgres:stop has no version and no address, yet a DSN', () => {
    const stopped = recorded('dokku postgres:info lonely')
      .map((answer) => parseServiceInfo(parseServiceName('lonely'), answer.out))
      .find((service) => service.status === 'missing');
    expect(stopped).toMatchObject({ status: 'missing', image: '', login: { database: 'lonely' }, apps: [] });
  });

  it('may list several links, or a dash for none', () => {
    const info = recorded('dokku postgres:info shop')[0].out;
    const withLinks = (links: string): readonly string[] =>
      parseServiceInfo(parseServiceName('shop'), info.replace(/(Links: +)\S+/, `$1${links}`)).apps;
    expect(withLinks('web api worker-2')).toEqual(['web', 'api', 'worker-2']);
    expect(withLinks('-')).toEqual([]);
    expect(withLinks('web  api ')).toEqual(['web', 'api']);
    expect(withLinks('')).toEqual([]);
  });

  it.each(['Dsn', 'Status', 'Version', 'Id', 'Links', 'Service root'])('without its line %s is an error that names the line', (key) => {
    const text = recorded('dokku postgres:info shop')[0].out.replace(new RegExp(`^ +${key}:.*\n`, 'm'), '');
    expect(() => parseServiceInfo(parseServiceName('shop'), text)).toThrow(
      expect.objectContaining({ code: 'dokku', message: `dokku postgres:info shop has no line "${key}"` }),
    );
  });

  it('keeps what follows the first colon of a line, and drops the padding', () => {
    expect(parseReport('=====> x: y\n       Url:   http://a:1/b   \n       Empty:     \nnot indented: 1\n\n')).toEqual(
      new Map([
        ['Url', 'http://a:1/b'],
        ['Empty', ''],
      ]),
    );
  });
});

describe('the DSN', () => {
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('');

  it('holds a password with every printable character, raw', () => {
    expect(printable).toHaveLength(95);
    expect(parseDsn(`postgres://postgres:${printable}@dokku-postgres-shop:5432/shop`)).toEqual({
      user: 'postgres',
      password: printable,
      database: 'shop',
    });
  });

  it.each([
    ['a@b:5432/x', 'what looks like a host'],
    [':/@?#[]', 'delimiters'],
    ['%40', 'a percent code, which is none here'],
    ['@', 'an at sign alone'],
    ['', 'nothing'],
    ['@dokku-postgres-shop:5432/other', 'a whole end of a DSN'],
  ])('may have the password "%s": %s', (password) => {
    expect(parseDsn(`postgres://postgres:${password}@dokku-postgres-shop:5432/shop`)).toEqual({
      user: 'postgres',
      password,
      database: 'shop',
    });
  });

  it('gives back any password that has no line break', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (password) => {
        expect(parseDsn(`postgres://postgres:${password}@dokku-postgres-shop:5432/happycows_db`)).toEqual({
          user: 'postgres',
          password,
          database: 'happycows_db',
        });
      }),
    );
  });

  it('may begin with postgresql', () => expect(parseDsn('postgresql://u:p@h:1/d')).toEqual({ user: 'u', password: 'p', database: 'd' }));

  it.each([
    '',
    '-',
    'mysql://u:secret@h:1/d',
    'postgres://u:secret@h/d',
    'postgres://u:secret@h:1/',
    'postgres://u@h:1/d',
    'postgres://u:secret@h:x/d',
    'postgres://u:secret@h:1/d?x=1',
  ])('of another form, "%s", is an error that does not show it (pitfall 49)', (dsn) => {
    expect(() => parseDsn(dsn)).toThrow(expect.objectContaining({ code: 'dokku', message: expect.not.stringContaining('secret') }));
  });
});

describe('what git:report prints', () => {
  it('is understood as 0.38.27 prints it: the word HEAD is no commit', () => {
    const git = parseGitReport(recorded('dokku git:report web')[0].out);
    expect(git).toEqual({ sha: 'HEAD', deployBranch: 'main', lastUpdatedAt: '1795187121', revEnvVar: 'GIT_REV' });
    expect(isSha(git.sha)).toBe(false);
  });

  it('of an app never deployed has the word HEAD and no time', () => {
    const git = parseGitReport(recorded('dokku git:report blank')[0].out);
    expect(git).toEqual({ sha: 'HEAD', deployBranch: 'master', lastUpdatedAt: '', revEnvVar: 'GIT_REV' });
    expect(makeRevision(web, git, '', undefined)).toEqual({
      name: 'web',
      sha: null,
      shaSource: null,
      deployBranch: 'master',
      lastUpdatedAt: null,
    });
  });

  it('is understood as it was printed in 2023, with a short commit', () => {
    const git = parseGitReport(fixture('git-report-2023.txt'));
    expect(git).toEqual({ sha: '82eeec6fe1', deployBranch: 'main', lastUpdatedAt: '1696979162', revEnvVar: 'GIT_REV' });
    expect(makeRevision(web, git, undefined, undefined)).toEqual({
      name: 'web',
      sha: '82eeec6fe1',
      shaSource: 'git:report',
      deployBranch: 'main',
      lastUpdatedAt: '2023-10-10T23:06:02.000Z',
    });
  });

  it('falls back on the global branch where the app has none of its own, as it was in 2023', () => {
    const text = fixture('git-report-2023.txt').replace(/(Git deploy branch: +)main/, '$1    ');
    expect(parseGitReport(text).deployBranch).toBe('master');
  });

  it('of an app that does not exist is empty', () => {
    expect(parseGitReport(recorded('dokku git:report nope')[0].out)).toEqual({
      sha: '',
      deployBranch: '',
      lastUpdatedAt: '',
      revEnvVar: '',
    });
  });
});

describe('the commit of an app', () => {
  const git = (sha: string): ReturnType<typeof parseGitReport> => ({ sha, deployBranch: '', lastUpdatedAt: '', revEnvVar: '' });
  const appReport = recorded('dokku apps:report web --format json')[0].out;

  it('stands in apps:report, too', () => expect(shaOfAppReport(appReport)).toBe(long));

  it.each([
    ['git:report, where that knows one', git(long), 'aaaaaaa', 'bbbbbbb', long, 'git:report'],
    ['the config, where git:report says HEAD', git('HEAD'), 'aaaaaaa', 'bbbbbbb', 'aaaaaaa', 'config'],
    ['apps:report, where the config has nothing', git('HEAD'), '', 'bbbbbbb', 'bbbbbbb', 'apps:report'],
    ['apps:report, where the config has something else', git(''), 'v1.2.3', 'bbbbbbb', 'bbbbbbb', 'apps:report'],
    ['nowhere', git('HEAD'), undefined, undefined, null, null],
  ])('comes from %s', (_, report, config, app, sha, shaSource) =>
    expect(makeRevision(web, report, config, app)).toMatchObject({ sha, shaSource }),
  );

  it.each(['HEAD', '', 'main', 'v1.2.3', '82eeec', 'a'.repeat(41), '82EEEC6FE1', '82eeec6fe1\n', '-82eeec6fe1', 'g'.repeat(40)])(
    'is never "%s"',
    (text) => expect(isSha(text)).toBe(false),
  );
  it.each(['82eeec6', '82eeec6fe1', long])('may be %s', (text) => expect(isSha(text)).toBe(true));

  it.each(['', 'null', '[]', '{"deploy-source-metadata":1}', '{"deploy-source-metadata":"registry.example/app:latest"}', '{'])(
    'is not found in an apps:report that says %s',
    (text) => expect(shaOfAppReport(text)).toBeUndefined(),
  );

  it.each(['-1', '1.5', 'never', '12345678901234567890'])('was not deployed at "%s"', (lastUpdatedAt) => {
    expect(makeRevision(web, { ...git(long), lastUpdatedAt }, undefined, undefined).lastUpdatedAt).toBeNull();
  });
});
