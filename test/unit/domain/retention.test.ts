import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRetention, type RetentionBackup, type RetentionPolicy } from '../../../src/domain/retention.ts';

const off: RetentionPolicy = {
  keepLast: 0,
  keepHourly: 0,
  keepDaily: 0,
  keepWeekly: 0,
  keepMonthly: 0,
  keepYearly: 0,
  keepWithin: undefined,
  minKeep: 1,
};
const rules = ['keepLast', 'keepHourly', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly', 'keepWithin', 'minKeep'] as const;
const now = new Date('2026-11-20T12:00:00Z');
const hour = 3_600_000;

function backup(startedAt: string, changes: Partial<RetentionBackup> = {}): RetentionBackup {
  return {
    id: startedAt,
    startedAt,
    otherHost: undefined,
    schemas: [],
    flaw: undefined,
    lockedUntil: undefined,
    reader: undefined,
    ...changes,
  };
}

/** What a plan says of each backup, as `prune --dry-run` would. */
function told(backups: readonly RetentionBackup[], policy: Partial<RetentionPolicy>, at = now): Record<string, string> {
  const { decisions } = planRetention(backups, { ...off, ...policy }, at);
  return Object.fromEntries(decisions.map(({ id, keep, reasons }) => [id, `${keep ? 'KEEP' : 'REMOVE'} ${reasons.join(', ')}`]));
}

function kept(backups: readonly RetentionBackup[], policy: Partial<RetentionPolicy>, at = now): string[] {
  return planRetention(backups, { ...off, ...policy }, at).decisions.flatMap(({ id, keep }) => (keep ? [id] : []));
}

/** The newest first, from and to included. */
function every(hours: number, from: string, count: number): RetentionBackup[] {
  return Array.from({ length: count }, (_, i) => backup(new Date(Date.parse(from) - i * hours * hour).toISOString()));
}

describe('a retention plan, by table', () => {
  it('removes nothing while no rule is set, and says so', () => {
    expect(told([backup('2020-01-01T00:00:00Z'), backup('2026-11-20T00:00:00Z')], { minKeep: 1 })).toEqual({
      '2020-01-01T00:00:00Z': 'KEEP no retention policy is set',
      '2026-11-20T00:00:00Z': 'KEEP no retention policy is set',
    });
    expect(planRetention([], { ...off, keepLast: 1 }, now).decisions).toEqual([]);
  });

  it('gives the reason for each', () => {
    const list = ['2026-11-20T06:00:00Z', '2026-11-20T00:00:00Z', '2026-11-19T18:00:00Z', '2026-11-19T12:00:00Z', '2026-10-31T23:59:59Z'];
    expect(
      told(
        list.map((time) => backup(time)),
        { keepLast: 1, keepHourly: 2, keepDaily: 2, keepWeekly: 1, keepMonthly: 2, keepYearly: 1, keepWithin: 3600 * 6, minKeep: 2 },
      ),
    ).toEqual({
      '2026-11-20T06:00:00Z':
        'KEEP newest proven, last 1, hourly 2026-11-20 06:00, daily 2026-11-20, weekly 2026-W47, monthly 2026-11, yearly 2026, within 6h, min-keep 2',
      '2026-11-20T00:00:00Z': 'KEEP hourly 2026-11-20 00:00, within 6h, min-keep 2',
      '2026-11-19T18:00:00Z': 'KEEP daily 2026-11-19, within 6h of the newest but one',
      '2026-11-19T12:00:00Z':
        'REMOVE no rule keeps it (keep-last 1, keep-hourly 2, keep-daily 2, keep-weekly 1, keep-monthly 2, keep-yearly 1, keep-within 6h)',
      '2026-10-31T23:59:59Z': 'KEEP monthly 2026-10',
    });
  });

  it.each<[string, Partial<RetentionPolicy>, string[]]>([
    ['the newest three', { keepLast: 3 }, ['2026-11-20T06', '2026-11-20T00', '2026-11-19T18']],
    ['more than there are', { keepLast: 1000 }, every(6, '2026-11-20T06:00:00Z', 60).map(({ id }) => id.slice(0, 13))],
    ['the newest of each of three days', { keepDaily: 3 }, ['2026-11-20T06', '2026-11-19T18', '2026-11-18T18']],
    // Sunday the 15th ends week 46.
    ['the newest of each of three weeks', { keepWeekly: 3 }, ['2026-11-20T06', '2026-11-15T18', '2026-11-08T18']],
    ['the newest of each month', { keepMonthly: 12 }, ['2026-11-20T06']],
    ['days and weeks', { keepDaily: 2, keepWeekly: 2 }, ['2026-11-20T06', '2026-11-19T18', '2026-11-15T18']],
    [
      'a day, its beginning included',
      { keepWithin: 86_400 },
      ['2026-11-20T06', '2026-11-20T00', '2026-11-19T18', '2026-11-19T12', '2026-11-19T06'],
    ],
    ['the newest alone', { keepYearly: 1 }, ['2026-11-20T06']],
    ['min-keep more than the rule', { keepYearly: 1, minKeep: 3 }, ['2026-11-20T06', '2026-11-20T00', '2026-11-19T18']],
  ])('of a backup every six hours keeps %s', (_, policy, expected) => {
    expect(kept(every(6, '2026-11-20T06:00:00Z', 60), policy).map((id) => id.slice(0, 13))).toEqual(expected);
  });

  it('counts weeks as ISO 8601 does, over the end of a year too', () => {
    const list = ['2027-01-04T00:00:00Z', '2027-01-03T23:59:59Z', '2027-01-01T00:00:00Z', '2026-12-28T00:00:00Z', '2026-12-27T23:59:59Z'];
    expect(
      told(
        list.map((time) => backup(time)),
        { keepWeekly: 9 },
        new Date('2027-02-01T00:00:00Z'),
      ),
    ).toEqual({
      '2027-01-04T00:00:00Z': 'KEEP newest proven, weekly 2027-W01, min-keep 1',
      '2027-01-03T23:59:59Z': 'KEEP weekly 2026-W53',
      '2027-01-01T00:00:00Z': 'REMOVE no rule keeps it (keep-weekly 9)',
      '2026-12-28T00:00:00Z': 'REMOVE no rule keeps it (keep-weekly 9)',
      '2026-12-27T23:59:59Z': 'KEEP weekly 2026-W52',
    });
  });

  it('counts hours that have a backup, not hours', () => {
    const list = ['2026-11-20T06:59:00Z', '2026-11-20T06:01:00Z', '2026-11-12T03:30:00Z', '2026-01-01T03:30:00Z'];
    expect(
      kept(
        list.map((time) => backup(time)),
        { keepHourly: 2 },
      ),
    ).toEqual(['2026-11-20T06:59:00Z', '2026-11-12T03:30:00Z']);
  });

  it("never removes another host's, one under object lock, or one that is being read (pitfall 23)", () => {
    const list = [
      backup('2026-11-20T06:00:00Z'),
      backup('2026-11-19T06:00:00Z', { id: 'locked', lockedUntil: new Date('2026-12-01T00:00:00Z') }),
      backup('2026-11-18T06:00:00Z', { id: 'unlocked', lockedUntil: new Date('2026-11-20T11:59:59Z') }),
      backup('2026-11-17T06:00:00Z', { id: 'read', reader: 'a restore since 2026-11-20 11:00:00 UTC (process 7)' }),
      backup('2026-11-20T11:00:00Z', { id: 'foreign', otherHost: 'host-b' }),
    ];
    expect(told(list, { keepLast: 1 })).toEqual({
      '2026-11-20T06:00:00Z': 'KEEP newest proven, last 1, min-keep 1',
      locked: 'KEEP locked until 2026-12-01 00:00:00 UTC',
      unlocked: 'REMOVE no rule keeps it (keep-last 1)',
      read: 'KEEP being read by a restore since 2026-11-20 11:00:00 UTC (process 7)',
      foreign: 'KEEP of another host (host-b)',
    });
  });

  it('neither removes nor counts what is dated in the future, once a clock had jumped ahead (pitfall 24)', () => {
    const list = [backup('2036-01-01T00:00:00Z'), ...every(24, '2026-11-20T06:00:00Z', 4)];
    expect(told(list, { keepLast: 2, minKeep: 2 })).toMatchObject({
      '2036-01-01T00:00:00Z': 'KEEP dated in the future',
      '2026-11-20T06:00:00.000Z': 'KEEP newest proven, last 2, min-keep 2',
      '2026-11-19T06:00:00.000Z': 'KEEP last 2, min-keep 2',
      '2026-11-18T06:00:00.000Z': 'REMOVE no rule keeps it (keep-last 2)',
    });
    expect(told([backup('no date')], { keepLast: 1 })).toEqual({ 'no date': 'KEEP dated in the future' });
  });

  it('removes nothing where the clock has jumped back before all backups (pitfall 24)', () => {
    const list = every(6, '2026-11-20T06:00:00Z', 40);
    expect(kept(list, { keepLast: 1, keepWithin: 3600 }, new Date('1970-01-01T00:10:00Z'))).toEqual(list.map(({ id }) => id));
  });

  it('keeps the window before a gap when the newest would be alone in it (pitfall 24)', () => {
    const list = [backup('2036-01-01T00:00:00Z'), ...every(6, '2026-11-20T06:00:00Z', 40)];
    const at = new Date('2036-01-01T00:05:00Z');
    expect(kept(list, { keepWithin: 86_400 }, at)).toEqual(list.slice(0, 6).map(({ id }) => id));
    // Weekly backups are no gap in a window of a month.
    expect(kept(every(168, '2026-11-20T06:00:00Z', 20), { keepWithin: 28 * 86_400 })).toHaveLength(5);
  });

  it('lets backups of some schemas push none of the whole database out, nor the other way round', () => {
    const list = [
      backup('2026-11-20T11:00:00Z', { id: 'a-3', schemas: ['b', 'a'] }),
      backup('2026-11-20T10:00:00Z', { id: 'a-2', schemas: ['a', 'b'] }),
      backup('2026-11-20T09:00:00Z', { id: 'other', schemas: ['a'] }),
      backup('2026-11-20T08:00:00Z', { id: 'whole-2' }),
      backup('2026-11-20T07:00:00Z', { id: 'whole-1' }),
    ];
    expect(kept(list, { keepLast: 1 })).toEqual(['a-3', 'other', 'whole-2']);
  });

  it('lets one that is not whole any more push no proven one out (pitfall 48)', () => {
    const list = [
      ...every(1, '2026-11-20T11:00:00Z', 5).map((one) => ({ ...one, flaw: 'cut off' })),
      ...every(1, '2026-11-20T05:00:00Z', 3),
    ];
    expect(told(list, { keepLast: 2, minKeep: 2 })).toMatchObject({
      '2026-11-20T11:00:00.000Z': 'KEEP newest of those that are not whole, last 2, min-keep 2, cut off',
      '2026-11-20T09:00:00.000Z': 'REMOVE no rule keeps it (keep-last 2), cut off',
      '2026-11-20T05:00:00.000Z': 'KEEP newest proven, last 2, min-keep 2',
      '2026-11-20T04:00:00.000Z': 'KEEP last 2, min-keep 2',
      '2026-11-20T03:00:00.000Z': 'REMOVE no rule keeps it (keep-last 2)',
    });
  });

  it('chooses by id between those of the same moment', () => {
    const list = ['shop-a', 'shop-c', 'shop-b'].map((id) => backup('2026-11-20T06:00:00Z', { id }));
    expect(kept(list, { keepLast: 2 })).toEqual(['shop-c', 'shop-b']);
  });
});

// Few places on a short scale of time, so that equal times, gaps and full buckets all come up.
const times = fc.oneof(
  fc.integer({ min: -80, max: 6 }).map((hours) => hours * hour),
  fc.integer({ min: -800, max: 3 }).map((days) => days * 24 * hour),
  fc.integer({ min: -700_000, max: 5000 }).map((minutes) => minutes * 60_000),
);
const backups = fc
  .array(
    fc.record({
      at: times,
      otherHost: fc.option(fc.constant('host-b'), { nil: undefined, freq: 6 }),
      schemas: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.constantFrom(['a'], ['a', 'b'], ['b', 'a'])),
      flaw: fc.option(fc.constant('cut off'), { nil: undefined, freq: 6 }),
      lockedUntil: fc.option(
        times.map((offset) => new Date(now.getTime() + offset)),
        { nil: undefined, freq: 6 },
      ),
      reader: fc.option(fc.constant('a restore'), { nil: undefined, freq: 6 }),
    }),
    { maxLength: 40 },
  )
  .map((list) =>
    list.map(({ at, ...rest }, i): RetentionBackup => ({
      id: `shop-${i}`,
      startedAt: new Date(now.getTime() + at).toISOString(),
      ...rest,
    })),
  );
const count = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 12 }));
const policies = fc.record<RetentionPolicy>({
  keepLast: count,
  keepHourly: count,
  keepDaily: count,
  keepWeekly: count,
  keepMonthly: count,
  keepYearly: count,
  keepWithin: fc.option(fc.integer({ min: 1, max: 90 * 86_400 }), { nil: undefined }),
  minKeep: fc.integer({ min: 1, max: 5 }),
});
const isSet = (policy: RetentionPolicy): boolean => rules.some((rule) => rule !== 'minKeep' && (policy[rule] ?? 0) > 0);
const runs = { numRuns: 500 };

/** The own ones with a date that can be true, in the groups that count apart. */
function groupsOf(list: readonly RetentionBackup[], at = now): RetentionBackup[][] {
  const real = list.filter((one) => one.otherHost === undefined && Date.parse(one.startedAt) <= at.getTime());
  const keys = new Set(real.map((one) => `${one.flaw} ${one.schemas.toSorted().join()}`));
  return [...keys].map((key) => real.filter((one) => `${one.flaw} ${one.schemas.toSorted().join()}` === key));
}

describe('a retention plan, whatever the backups and the rules', () => {
  it('is idempotent: once it is carried out there is nothing more to remove', () => {
    fc.assert(
      fc.property(backups, policies, (list, policy) => {
        const ids = new Set(kept(list, policy));
        const left = list.filter(({ id }) => ids.has(id));
        expect(kept(left, policy)).toEqual(left.map(({ id }) => id));
      }),
      runs,
    );
  });

  it('is monotone: a rule that keeps more never removes what it kept before', () => {
    fc.assert(
      fc.property(backups, policies, fc.constantFrom(...rules), fc.integer({ min: 1, max: 100 }), (list, policy, rule, more) => {
        // The first rule is what lets anything be removed at all.
        fc.pre(isSet(policy));
        const larger = { ...policy, [rule]: (policy[rule] ?? 0) + more * (rule === 'keepWithin' ? 3600 : 1) };
        expect(kept(list, larger)).toEqual(expect.arrayContaining(kept(list, policy)));
      }),
      runs,
    );
  });

  it('never empties: of each kind there stay min-keep, the newest first, or all (pitfall 48)', () => {
    fc.assert(
      fc.property(backups, policies, (list, policy) => {
        const ids = kept(list, policy);
        for (const group of groupsOf(list)) {
          const newest = group.toSorted((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt) || (a.id < b.id ? 1 : -1));
          expect(ids).toEqual(expect.arrayContaining(newest.slice(0, policy.minKeep).map(({ id }) => id)));
        }
      }),
      runs,
    );
  });

  it('explains every decision, once each, and in the order of the list', () => {
    fc.assert(
      fc.property(backups, policies, (list, policy) => {
        const { decisions } = planRetention(list, policy, now);
        expect(decisions.map(({ id }) => id)).toEqual(list.map(({ id }) => id));
        for (const { reasons } of decisions) {
          expect(reasons.length).toBeGreaterThan(0);
          for (const reason of reasons) expect(reason).toMatch(/^\S.*\S$/);
        }
      }),
      runs,
    );
  });

  it('does not depend on the order of the list', () => {
    fc.assert(
      fc.property(
        backups.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        policies,
        ([list, shuffled], policy) => {
          expect(told(shuffled, policy)).toEqual(told(list, policy));
        },
      ),
      runs,
    );
  });

  it('does not depend on what counts apart: other hosts, the future, other schemas, what is not whole', () => {
    fc.assert(
      fc.property(backups, policies, (list, policy) => {
        fc.pre(isSet(policy));
        const all = told(list, policy);
        for (const group of groupsOf(list)) expect(all).toMatchObject(told(group, policy));
      }),
      runs,
    );
  });

  it('never removes what is locked, read, of another host or dated in the future', () => {
    fc.assert(
      fc.property(backups, policies, (list, policy) => {
        const ids = kept(list, policy);
        for (const { id, otherHost, startedAt, lockedUntil, reader } of list)
          if (
            otherHost !== undefined ||
            Date.parse(startedAt) > now.getTime() ||
            (lockedUntil && lockedUntil > now) ||
            reader !== undefined
          )
            expect(ids).toContain(id);
      }),
      runs,
    );
  });

  it('removes no more because time has passed, for as long as backups have stopped (pitfall 48)', () => {
    fc.assert(
      fc.property(backups, policies, fc.integer({ min: 1, max: 10_000 }), (list, policy, hours) => {
        // What was locked or dated in the future may go later, that is the point of it.
        const plain = groupsOf(list)
          .flat()
          .map((one) => ({ ...one, lockedUntil: undefined }));
        expect(kept(plain, policy, new Date(now.getTime() + hours * hour))).toEqual(kept(plain, policy));
      }),
      runs,
    );
  });

  it('removes no more because the clock jumped back (pitfall 24)', () => {
    fc.assert(
      fc.property(backups, policies, fc.integer({ min: 1, max: 10_000 }), (list, policy, hours) => {
        const before = new Date(now.getTime() - hours * hour);
        const removed = list.map(({ id }) => id).filter((id) => !kept(list, policy, before).includes(id));
        const real = list.filter(({ startedAt }) => Date.parse(startedAt) <= before.getTime());
        // As if those that are in the future now had never been taken: nothing is removed on their account.
        expect(removed).toEqual(real.map(({ id }) => id).filter((id) => !kept(real, policy, before).includes(id)));
      }),
      runs,
    );
  });

  it('loses to one backup taken while the clock was ahead at most what its place in each rule costs (pitfall 24)', () => {
    fc.assert(
      fc.property(backups, policies, fc.integer({ min: 1, max: 10_000 }), (list, policy, days) => {
        const plain = groupsOf(list)[0]?.map((one) => ({ ...one, lockedUntil: undefined, reader: undefined })) ?? [];
        // Up to the length of the window it is no more than a backup that has not been taken for a while.
        fc.pre(isSet(policy) && plain.length > 0 && (policy.keepWithin ?? 0) <= days * 86_400);
        const ahead = new Date(now.getTime() + days * 24 * hour);
        const jumped = { ...plain[0], id: 'jumped', startedAt: ahead.toISOString() } as RetentionBackup;
        const before = told(plain, policy);
        const lost = kept(plain, policy).filter((id) => !kept([...plain, jumped], policy, ahead).includes(id));
        const counting = rules.filter((rule) => rule !== 'keepWithin' && policy[rule] > 0);
        expect(lost.filter((id) => !before[id]?.endsWith('newest but one')).length).toBeLessThanOrEqual(counting.length);
      }),
      runs,
    );
  });

  it('does not depend on the time zone of the host', () => {
    const zone = process.env['TZ'];
    try {
      fc.assert(
        fc.property(
          backups,
          policies,
          fc.constantFrom('Pacific/Kiritimati', 'America/New_York', 'Europe/Berlin'),
          (list, policy, other) => {
            process.env['TZ'] = 'UTC';
            const here = told(list, policy);
            process.env['TZ'] = other;
            expect(told(list, policy)).toEqual(here);
          },
        ),
        { numRuns: 100 },
      );
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });
});
