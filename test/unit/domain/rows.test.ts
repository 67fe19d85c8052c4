import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareRows } from '../../../src/domain/rows.ts';
import { notRunning, type Service } from '../../../src/domain/service.ts';
import { parseServiceName } from '../../../src/domain/names.ts';

const table = (schema: string, name: string, rows: number): { schema: string; table: string; rows: number } => ({
  schema,
  table: name,
  rows,
});

describe('comparing rows', () => {
  it('finds nothing where both sides hold the same, in whatever order', () => {
    expect(compareRows([table('a', 'x', 1), table('b', 'x', 2)], [table('b', 'x', 2), table('a', 'x', 1)])).toEqual([]);
    expect(compareRows([], [])).toEqual([]);
  });

  it.each([
    ['a row too few', [table('public', 'users', 562)], [table('public', 'users', 561)], ['public.users has 561 rows instead of 562']],
    ['an emptied table', [table('public', 'users', 562)], [table('public', 'users', 0)], ['public.users has 0 rows instead of 562']],
    ['a missing table', [table('public', 'users', 562)], [], ['public.users has no rows instead of 562 (it is missing)']],
    ['a missing table that was empty', [table('public', 'users', 0)], [], ['public.users has no rows instead of 0 (it is missing)']],
    ['a table too many', [], [table('public', 'users', 0)], ['public.users should not be there']],
  ])('finds %s', (_, expected, counted, found) => expect(compareRows(expected, counted)).toEqual(found));

  it('takes no table for another, whatever dots and quotes are in the names', () => {
    expect(compareRows([table('a.b', 'c', 1)], [table('a', 'b.c', 1)])).toHaveLength(2);
    expect(compareRows([table('a","b', 'c', 1)], [table('a', 'b","c', 1)])).toHaveLength(2);
  });

  it('finds any one change', () => {
    const tables = fc.uniqueArray(fc.record({ schema: fc.string(), table: fc.string(), rows: fc.nat() }), {
      selector: (t) => JSON.stringify([t.schema, t.table]),
      minLength: 1,
    });
    fc.assert(
      fc.property(tables, fc.nat(), (all, at) => {
        const changed = all.map((one, i) => (i === at % all.length ? { ...one, rows: one.rows + 1 } : one));
        expect(compareRows(all, all)).toEqual([]);
        expect(compareRows(all, changed)).toHaveLength(1);
        expect(compareRows(all, all.slice(1))).toHaveLength(1);
        expect(compareRows(all.slice(1), all)).toHaveLength(1);
      }),
    );
  });
});

describe('a service that does not run', () => {
  const service = (status: string): Service => ({
    name: parseServiceName('shop'),
    login: { user: 'postgres', password: 'p', database: 'shop' },
    status,
    image: '',
    containerId: '',
    apps: [],
    root: '/r',
  });

  it('is not told of one that runs', () => expect(notRunning(service('running'))).toBeUndefined());

  it.each([
    ['missing', 'Service shop is stopped (it has no container)', 'dokku postgres:start shop'],
    ['exited', 'Service shop is not running (its status is "exited")', 'dokku postgres:start shop'],
    ['paused', 'The container of service shop is paused', 'docker unpause dokku.postgres.shop'],
    ['', 'Service shop is not running (its status is "")', 'dokku postgres:start shop'],
    ['restarting', 'Service shop keeps restarting', 'dokku postgres:logs shop'],
  ])('with status "%s" is told with the line to type', (status, message, command) => {
    const said = notRunning(service(status));
    expect(said?.message).toBe(message);
    expect(said?.hint).toContain(command);
  });
});
