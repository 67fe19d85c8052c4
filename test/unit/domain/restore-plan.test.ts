import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { planRestore, sameCommit, type AppNow, type PlannedSource, type RestoreFacts } from '../../../src/domain/restore-plan.ts';
import { exampleManifest } from '../../twins/manifest.ts';

const GB = 1e9;
const then = '273c289c47047bea84ff9cd1ab2d4334ea74b838';
const now = '82eeec6fe1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';

const backup = (changes: Partial<Manifest> = {}): PlannedSource => ({ kind: 'backup', manifest: exampleManifest(changes) });

const file = (changes: Partial<Extract<PlannedSource, { kind: 'file' }>> = {}): PlannedSource => ({
  kind: 'file',
  label: '/srv/shop.dump',
  inspected: { format: 'custom', wrappings: [], member: undefined, size: 1000, bare: true },
  sha256: 'c'.repeat(64),
  checksumGiven: true,
  serverMajor: 18,
  roles: ['postgres'],
  extensions: ['pgcrypto'],
  contained: [],
  tables: undefined,
  ...changes,
});

const appNow = (changes: Partial<AppNow> = {}, sha: string | null = then, name = 'web'): AppNow => ({
  revision: { name, sha, shaSource: 'git:report', deployBranch: 'main', lastUpdatedAt: null },
  deployLocked: false,
  migrations: undefined,
  ...changes,
});

/** Facts of a restore that nothing speaks against. */
const facts = (changes: Partial<RestoreFacts> = {}): RestoreFacts => ({
  service: 'shop',
  database: 'happycows_db',
  source: backup(),
  serverMajor: 18,
  serverRoles: ['postgres', 'reader'],
  serverExtensions: ['plpgsql', 'pgcrypto'],
  live: { bytes: 9_000_000, tables: 42 },
  freeBytes: 100 * GB,
  apps: [appNow()],
  preparedTransactions: [],
  logicalSlots: [],
  subscriptions: [],
  previous: undefined,
  now: new Date('2026-11-20T06:35:00.000Z'),
  ...changes,
});

describe('a file that makes fewer tables than there are', () => {
  it('is warned of', () => {
    const of = (tables: number | undefined): readonly string[] =>
      planRestore(facts({ source: file({ tables }), live: { bytes: 1, tables: 3 } })).warnings;
    expect(of(2)).toEqual([expect.stringContaining('The file makes 2 tables, and shop holds 3 tables now')]);
    expect([...of(3), ...of(undefined)]).toEqual([]);
  });
});

describe('the guards of a restore', () => {
  it('let through what nothing speaks against, without a warning', () => {
    expect(planRestore(facts())).toMatchObject({ refusals: [], warnings: [], withOwners: true, expectedBytes: 8_066_751 });
    expect(planRestore(facts({ source: file() }))).toMatchObject({ refusals: [], warnings: [], withOwners: true });
  });

  const guards: readonly (readonly [string, Partial<RestoreFacts>, RegExp, RegExp])[] = [
    [
      'a backup of a newer major version (pitfall 32)',
      { serverMajor: 17 },
      /from PostgreSQL 18, and service shop runs 17: a dump cannot go back/,
      /--image-version 18, then --into shop-new/,
    ],
    [
      'a file of a newer major version (pitfall 32)',
      { source: file({ serverMajor: 16 }), serverMajor: 15 },
      /from PostgreSQL 16, and service shop runs 15/,
      /--image-version 16/,
    ],
    [
      'a backup that needs extensions the image lacks (pitfall 33)',
      { serverExtensions: ['plpgsql'] },
      /lacks extensions that the source needs: pgcrypto$/,
      /postgres:upgrade shop/,
    ],
    [
      'a file that needs extensions the image lacks (pitfall 33)',
      { source: file({ extensions: ['postgis', 'vector'] }) },
      /needs: postgis, vector$/,
      /--image/,
    ],
    ['a running deploy (pitfall 41)', { apps: [appNow({ deployLocked: true })] }, /^A deploy of web is running$/, /dokku apps:unlock web/],
    [
      'prepared transactions',
      { preparedTransactions: ['tx1', 'tx2'] },
      /happycows_db has prepared transactions: tx1, tx2/,
      /ROLLBACK PREPARED/,
    ],
    ['logical slots (pitfall 40)', { logicalSlots: ['debezium'] }, /logical replication slots.*: debezium/, /pg_drop_replication_slot/],
    ['subscriptions (pitfall 40)', { subscriptions: ['from_old'] }, /enabled subscriptions.*: from_old/, /DISABLE/],
    ['too small a disk (pitfall 30)', { freeBytes: 1 }, /Not enough disk.*16\.9 MB needed, 1 B free, 16\.9 MB missing/, /service shop/],
    [
      'a backup of one schema over other tables',
      { source: backup({ schemas: ['accounting'] }) },
      /holds only schema accounting/,
      /--into shop-part/,
    ],
  ];

  it.each(guards)('refuse %s, with a next step', (_, changes, message, hint) => {
    const { refusals } = planRestore(facts(changes));
    expect(refusals).toHaveLength(1);
    expect(refusals[0]?.message).toMatch(message);
    expect(refusals[0]?.hint).toMatch(hint);
  });

  it('all speak at once', () => {
    const all = Object.assign({}, ...guards.filter(([, changes]) => changes.source === undefined).map(([, changes]) => changes));
    expect(planRestore(facts(all)).refusals).toHaveLength(7);
  });

  it.each([
    ['the same major version', { serverMajor: 18 }],
    ['a newer server', { serverMajor: 19 }],
    ['a file that does not tell its version', { serverMajor: 15, source: file({ serverMajor: undefined }) }],
    ['a backup of one schema into an empty database', { source: backup({ schemas: ['accounting'] }), live: { bytes: 1, tables: 0 } }],
    ['a backup of one schema where there is no database', { source: backup({ schemas: ['accounting'] }), live: undefined }],
    ['no database at all', { live: undefined }],
  ])('let through %s', (_, changes) => expect(planRestore(facts(changes)).refusals).toEqual([]));
});

describe('the disk for a second copy (pitfall 30)', () => {
  const fits = (changes: Partial<RestoreFacts>, freeBytes: number): boolean =>
    planRestore(facts({ ...changes, freeBytes })).refusals.length === 0;

  it.each([
    ['a small backup: a tenth more, and as much again of WAL', backup({ databaseBytes: 100_000_000 }), 210_000_000],
    ['a big backup: a tenth more, and a gibibyte of WAL', backup({ databaseBytes: 100 * GB }), 110 * GB + 1024 ** 3],
    [
      'a custom archive: six times its size',
      file({ inspected: { format: 'custom', wrappings: [], member: undefined, size: 10_000_000, bare: true } }),
      126_000_000,
    ],
    [
      'plain SQL: half as much again',
      file({ inspected: { format: 'sql', wrappings: [], member: undefined, size: 10_000_000, bare: true } }),
      31_500_000,
    ],
    [
      'plain SQL in gzip: six times',
      file({ inspected: { format: 'sql', wrappings: ['gzip'], member: undefined, size: 10_000_000, bare: false } }),
      126_000_000,
    ],
    ['a small file where much is live: as much as is live', file(), 2.1 * 9_000_000],
  ])('is measured for %s', (_, source, needed) => {
    expect(fits({ source }, Math.ceil(needed) + 1)).toBe(true);
    expect(fits({ source }, Math.floor(needed) - 1)).toBe(false);
  });

  it('says that it is an estimate where it is one', () => {
    expect(planRestore(facts({ source: file(), freeBytes: 0 })).refusals[0]?.message).toContain('(an estimate from the size of the file)');
    expect(planRestore(facts({ freeBytes: 0 })).refusals[0]?.message).not.toContain('estimate');
  });

  it('never gets tighter by more room', () => {
    fc.assert(
      fc.property(fc.nat(1e12), fc.nat(1e12), fc.nat(1e12), (databaseBytes, free, more) => {
        const source = backup({ databaseBytes });
        if (fits({ source }, free)) expect(fits({ source }, free + more)).toBe(true);
        expect(fits({ source }, databaseBytes)).toBe(databaseBytes === 0);
      }),
    );
  });
});

describe('the warnings before a restore', () => {
  const warnings = (changes: Partial<RestoreFacts>): readonly string[] => planRestore(facts(changes)).warnings;

  it('name the roles that are missing, and nothing then keeps its owner (pitfall 11)', () => {
    const plan = planRestore(facts({ serverRoles: ['postgres'] }));
    expect(plan.warnings).toEqual([
      'These roles are not on this server: reader. Everything will belong to the login role, without grants.',
    ]);
    expect(plan.withOwners).toBe(false);
  });

  it('say that a file without a checksum is unproven', () => {
    expect(warnings({ source: file({ checksumGiven: false }) })).toEqual([expect.stringMatching(/no checksum.*unproven.*--sha256/)]);
  });

  it('say what was left out of a file (pitfall 37)', () => {
    expect(warnings({ source: file({ contained: ['\\connect other', 'CREATE DATABASE x'] }) })).toEqual([
      'Left out, since it would leave the scratch database: \\connect other; CREATE DATABASE x',
    ]);
  });

  it('name all apps where several use the service', () => {
    expect(warnings({ apps: [appNow(), appNow({}, then, 'worker')] })).toEqual([expect.stringContaining('web, worker')]);
  });

  it.each([
    ['the same commit', then, []],
    ['a short sha of the same commit, as older Dokku prints it', then.slice(0, 10), []],
    ['an unknown commit', null, []],
    ['another commit', now, [`App web runs ${now} now, and ran ${then} at the backup`]],
  ])('compare the code then with %s now', (_, sha, expected) => expect(warnings({ apps: [appNow({}, sha)] })).toEqual(expected));

  it.each([
    [undefined, ''],
    [[], '; no migration file differs'],
    [['db/migrate/7.rb', 'db/migrate/8.rb'], '; migration files that differ: db/migrate/7.rb, db/migrate/8.rb'],
  ])('tell the migrations between: %j', (migrations, tail) => {
    expect(warnings({ apps: [appNow({ migrations }, now)] })).toEqual([`App web runs ${now} now, and ran ${then} at the backup${tail}`]);
  });

  it.each([
    [
      'the backup knows no commit of it',
      backup({ apps: [{ name: 'web', sha: null, shaSource: null, deployBranch: null, lastUpdatedAt: null }] }),
    ],
    ['the backup does not know the app', backup({ apps: [] })],
    ['the source is a file', file()],
  ])('say nothing of code where %s', (_, source) => expect(warnings({ source, apps: [appNow({}, now)] })).toEqual([]));

  it('take a commit for the same by its beginning, either way', () => {
    expect(sameCommit(then, then.slice(0, 7))).toBe(true);
    expect(sameCommit(then.slice(0, 7), then)).toBe(true);
    expect(sameCommit(then, now)).toBe(false);
  });
});

describe('the plan that is shown', () => {
  const lines = (changes: Partial<RestoreFacts>): Record<string, string> => Object.fromEntries(planRestore(facts(changes)).lines);

  it('tells of a backup what it is, how old, what it holds, and the code then and now', () => {
    expect(planRestore(facts()).lines).toEqual([
      ['Service', 'shop (PostgreSQL 18)'],
      ['Database now', 'happycows_db: 9.0 MB, 42 tables; kept aside for undo'],
      ['Backup', 'shop-20261120T031500Z-k3f9'],
      ['Taken', '2026-11-20 03:15:00 UTC (3 h 20 min ago)'],
      ['Holds', '562 rows in 1 table, 8.1 MB, from PostgreSQL 18.4'],
      ['Code then', `web at ${then}`],
      ['Code now', `web at ${then}`],
    ]);
  });

  it('tells of a file what it is, and its checksum', () => {
    const unmeasured = file({ inspected: { format: 'custom', wrappings: ['age'], member: undefined, size: undefined, bare: false } });
    expect(lines({ source: unmeasured })).toMatchObject({ Kind: 'custom dump in age' });
    const source = file({ inspected: { format: 'custom', wrappings: ['gzip', 'tar'], member: 'backup/export', size: 6724, bare: false } });
    expect(lines({ source })).toMatchObject({
      File: '/srv/shop.dump',
      Kind: 'custom dump in gzip, tar, 6.7 kB',
      'SHA-256': 'c'.repeat(64),
    });
  });

  it('tells where there is no database yet', () => {
    expect(lines({ live: undefined })['Database now']).toBe('happycows_db: does not exist; it will be made');
  });

  it.each([
    [undefined, 'database happycows_db of shop does not exist and would be made', 'To make it'],
    [{ bytes: 1, tables: 0 }, 'shop already holds 0 tables', 'To replace the database'],
    [{ bytes: 1, tables: 1 }, 'shop already holds 1 table', 'To replace it'],
    [{ bytes: 1, tables: 1042 }, 'shop already holds 1,042 tables', 'To replace them'],
  ])('tells what is at stake with %j', (live, stake, purpose) => expect(planRestore(facts({ live }))).toMatchObject({ stake, purpose }));
});
