import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compactTime, isBackupId, makeBackupId, parseBackupId } from '../../../src/domain/backup-id.ts';
import { isAppName, isServiceName, parseServiceName } from '../../../src/domain/names.ts';

describe('the name of a service', () => {
  it.each(['shop', 'happycows-db', 'A_b-9', '_x', '9', 'x'.repeat(128)])('may be %s', (name) => {
    expect(isServiceName(name)).toBe(true);
    expect(parseServiceName(name)).toBe(name);
  });

  it.each(['', '-x', '--force', '.', '..', 'a.b', 'a/b', 'a b', 'a\n', 'naïve', 'a;b', 'x'.repeat(129), 'a:b'])(
    'cannot be "%s"',
    (name) => {
      expect(isServiceName(name)).toBe(false);
      expect(() => parseServiceName(name)).toThrow('cannot be the name of a Postgres service');
    },
  );

  it('is safe as a folder, an option-free argument and a part of a cron line, whatever was typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        if (isServiceName(name)) expect(name).toMatch(/^[\w][\w-]*$/);
      }),
    );
  });
});

describe('the name of an app', () => {
  it.each(['web', '0', 'a.b', 'team/app', 'app:1', 'a-b_c'])('may be %s', (name) => expect(isAppName(name)).toBe(true));
  it.each(['', '-x', '.x', 'Web', 'a..b', '../x', 'a b', 'a\nb', 'x'.repeat(129)])('cannot be "%s"', (name) =>
    expect(isAppName(name)).toBe(false),
  );
});

describe('a backup id', () => {
  const shop = parseServiceName('happycows-db');

  it('holds service, time in UTC to the second and suffix', () => {
    expect(makeBackupId(shop, new Date('2026-11-20T03:15:00.999Z'), 'k3f9')).toBe('happycows-db-20261120T031500Z-k3f9');
    expect(compactTime(new Date('2026-01-02T03:04:05+05:00'))).toBe('20260101T220405Z');
  });

  it.each(['shop-20261120T031500Z-k3f9', '_-20261120T031500Z-0000', 'a-b-20261120T031500Z-k3f9-20261120T031500Z-aaaa'])('is %s', (id) => {
    expect(isBackupId(id)).toBe(true);
    expect(parseBackupId(id)).toBe(id);
  });

  it.each([
    '',
    'shop',
    'shop-20261120T031500Z',
    'shop-20261120T031500Z-k3f',
    'shop-20261120T031500Z-k3f99',
    'shop-20261120T031500Z-K3F9',
    'shop-20261120T031500-k3f9',
    '-20261120T031500Z-k3f9',
    '../shop-20261120T031500Z-k3f9',
    'a/b-20261120T031500Z-k3f9',
    'shop-20261120T031500Z-k3f9\n',
    'sh op-20261120T031500Z-k3f9',
  ])('is not "%s"', (id) => {
    expect(isBackupId(id)).toBe(false);
    expect(() => parseBackupId(id)).toThrow('is not a backup id');
  });

  it('sorts by time within its service', () => {
    const time = fc.date({ min: new Date('2000-01-01'), max: new Date('2099-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(time, time, (a, b) => {
        const [first, second] = [makeBackupId(shop, a, 'zzzz'), makeBackupId(shop, b, '0000')];
        if (Math.floor(a.getTime() / 1000) < Math.floor(b.getTime() / 1000)) expect(first < second).toBe(true);
      }),
    );
  });
});
