import { describe, expect, it } from 'vitest';
import { parsePrevious } from '../../../src/domain/previous.ts';
import {
  checkedValues,
  checkSetting,
  effectiveValue,
  parseSettings,
  settingKeys,
  settingRules,
  shownValue,
} from '../../../src/domain/settings.ts';

const none = new Map<string, string>();
const noRetention = {
  keepLast: 0,
  keepHourly: 0,
  keepDaily: 0,
  keepWeekly: 0,
  keepMonthly: 0,
  keepYearly: 0,
  keepWithin: undefined,
  minKeep: 2,
};
const of = (entries: Record<string, string>): Map<string, string> => new Map(Object.entries(entries));

const scheduling = {
  scheduleWait: 3600,
  scheduleJitter: 0,
  maxConcurrent: 2,
  scheduledCpuShares: 256,
  scheduledBlkioWeight: undefined,
  overdueGrace: undefined,
};

describe('the settings', () => {
  it('have defaults', () => {
    expect(parseSettings(none, none)).toEqual({
      backupDir: undefined,
      storages: ['local'],
      keepPrevious: 86_400,
      lockTimeout: 60,
      compressionLevel: 3,
      jobs: undefined,
      ...scheduling,
      retention: noRetention,
    });
  });

  it("are the service's own where it has one, else the global ones, else the default", () => {
    const own = of({ 'keep-previous': '7d' });
    const global = of({ 'keep-previous': '1h', jobs: '2' });
    expect(parseSettings(own, global)).toMatchObject({ keepPrevious: 604_800, jobs: 2, compressionLevel: 3 });
    expect(effectiveValue('keep-previous', own, global)).toBe('7d');
    expect(effectiveValue('jobs', own, global)).toBe('2');
    expect(effectiveValue('lock-timeout', own, global)).toBe('60s');
  });

  it('count as unset where the file of one is empty, as Dokku counts its properties', () => {
    const empty = of(Object.fromEntries(settingKeys.map((key) => [key, ''])));
    expect(parseSettings(empty, of({ jobs: '2' }))).toEqual({
      backupDir: undefined,
      storages: ['local'],
      keepPrevious: 86_400,
      lockTimeout: 60,
      compressionLevel: 3,
      jobs: 2,
      ...scheduling,
      retention: noRetention,
    });
  });

  it('each have a summary that needs no other line, and a default that passes its own check', () => {
    for (const { key, summary, fallback } of settingRules) {
      expect(summary).toMatch(/^[A-Z]/);
      expect(() => checkSetting(key, fallback)).not.toThrow();
    }
    expect(new Set(settingKeys).size).toBe(settingKeys.length);
  });

  it.each([
    ['backup-dir', '/mnt/backups'],
    ['backup-dir', '/mnt/with space/ünïcode'],
    ['keep-previous', '0'],
    ['keep-previous', '3650d'],
    ['lock-timeout', '24h'],
    ['compression-level', '1'],
    ['compression-level', '19'],
    ['jobs', '64'],
    ['schedule-wait', '0'],
    ['schedule-jitter', '6h'],
    ['max-concurrent', '1'],
    ['scheduled-cpu-shares', '2'],
    ['scheduled-blkio-weight', '1000'],
    ['overdue-grace', '30m'],
    ['keep-last', '0'],
    ['keep-daily', '9999'],
    ['keep-within', '0'],
    ['keep-within', '36500d'],
    ['min-keep', '1'],
    ['heartbeat-url', 'https://hc-ping.com/0b1c?x=1'],
    ['webhook-url', 'http://127.0.0.1:8080/hook'],
    ['heartbeat-method', 'POST'],
    ['heartbeat-style', 'healthchecks'],
    ['webhook-events', 'failure,overdue'],
    ['webhook-events', 'none'],
    ['notify-timeout', '1m'],
    ['textfile-dir', '/var/lib/node_exporter/textfile'],
    ['webhook-secret', 'sixteen letters!'],
    ['passphrase', 'twelve chars'],
  ])('%s takes %s', (key, value) => expect(() => checkSetting(key, value)).not.toThrow());

  it.each([
    ['backup-dir', 'relative'],
    ['backup-dir', '/a/../b'],
    ['backup-dir', '/a:b'],
    ['backup-dir', '/a,b'],
    ['backup-dir', '/a\nb'],
    ['keep-previous', 'for ever'],
    // Past the year 9999 a date has no place in the record any more; a century is plenty.
    ['keep-previous', '999999w'],
    ['keep-previous', '36501d'],
    ['lock-timeout', '-1s'],
    // Postgres counts lock_timeout in milliseconds of 31 bits.
    ['lock-timeout', '25d'],
    ['compression-level', '0'],
    ['compression-level', '20'],
    ['compression-level', '3.5'],
    ['jobs', '0'],
    ['jobs', '65'],
    ['jobs', ' 2'],
    ['schedule-wait', '8d'],
    ['schedule-jitter', '7h'],
    ['max-concurrent', '0'],
    ['scheduled-cpu-shares', '1'],
    ['scheduled-cpu-shares', '1025'],
    ['scheduled-blkio-weight', '9'],
    ['overdue-grace', 'never'],
    ['keep-last', '-1'],
    ['keep-hourly', '1.5'],
    ['keep-yearly', 'all'],
    ['keep-within', '7'],
    ['keep-within', '36501d'],
    // Pitfall 48: no setting lets the last good one go.
    ['min-keep', '0'],
  ])('%s does not take "%s"', (key, value) => {
    expect(() => checkSetting(key, value)).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining(key) }));
    expect(() => parseSettings(of({ [key]: value }), none)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('of the whole host are set for no service', () => {
    expect(() => checkSetting('max-concurrent', '3', 'shop')).toThrow(
      expect.objectContaining({ code: 'usage', hint: 'dokku pgbackup:set --global max-concurrent 3' }),
    );
    expect(() => checkSetting('max-concurrent', '3', '--global')).not.toThrow();
  });

  it('say what prune keeps, and a service can turn a rule off that is on for all', () => {
    const global = of({ 'keep-daily': '7', 'keep-weekly': '4', 'keep-within': '36h', 'min-keep': '3' });
    expect(parseSettings(of({ 'keep-daily': '0', 'keep-last': '5' }), global).retention).toEqual({
      ...noRetention,
      keepLast: 5,
      keepWeekly: 4,
      keepWithin: 129_600,
      minKeep: 3,
    });
  });

  it.each([
    ['heartbeat-url', 'hc-ping.com/0b1c'],
    ['heartbeat-url', 'ftp://hc-ping.com/'],
    ['heartbeat-url', ' https://hc-ping.com/'],
    ['heartbeat-url', 'https://hc-ping.com/a\nb'],
    ['heartbeat-fail-url', 'https://user@hc-ping.com/'],
    ['webhook-url', 'https://user:password@hook.example/'],
    ['webhook-url', `https://hook.example/${'a'.repeat(2000)}`],
    ['heartbeat-method', 'PUT'],
    ['heartbeat-style', 'cronitor'],
    ['webhook-events', 'failure, overdue'],
    ['webhook-events', 'failure,nope'],
    ['webhook-events', 'test'],
    ['notify-timeout', '0'],
    ['notify-timeout', '61s'],
    ['textfile-dir', 'relative'],
    ['webhook-secret', 'fifteen letters'],
    ['passphrase', 'too short'],
    ['passphrase', 'of more than one\nline'],
  ])('%s does not take "%s", which no backup fails for (pitfall 47)', (key, value) => {
    expect(() => checkSetting(key, value)).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining(key) }));
    expect(() => checkedValues(of({ [key]: value }), none)(key)).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => parseSettings(of({ [key]: value }), none)).not.toThrow();
  });

  it('show no secret, and of an address no more than its host', () => {
    for (const { key, secret, shown } of settingRules) {
      const value = shown ? 'https://h.example/t0ken' : 'a value of some length';
      expect(shownValue(key, '')).toBe('');
      expect(shownValue(key, value)).toBe(secret ? '***' : shown ? 'https://h.example/…' : value);
    }
    expect(settingRules.filter(({ secret }) => secret).map(({ key }) => key)).toEqual(
      expect.arrayContaining(['passphrase', 'webhook-secret']),
    );
  });

  it('repeat no secret and no address in a refusal', () => {
    for (const { check, secret, shown } of settingRules) {
      if (secret || shown)
        expect(() => check('t0\nken')).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/t0.?ken/s) }));
    }
  });

  it('that are unknown are refused with the list of those there are', () => {
    expect(() => checkSetting('retention', '7')).toThrow(
      expect.objectContaining({ code: 'usage', hint: expect.stringContaining('keep-previous') }),
    );
    expect(() => checkSetting('toString', '7')).toThrow('There is no setting "toString"');
  });

  it('let the longest keep time still be recorded', () => {
    const { keepPrevious } = parseSettings(of({ 'keep-previous': '36500d' }), none);
    const since = new Date('2099-12-31T23:59:59Z');
    const record = {
      live: 'a',
      database: 'pgbackup_previous_b',
      since: since.toISOString(),
      until: new Date(since.getTime() + keepPrevious * 1000).toISOString(),
      source: 's',
    };
    expect(parsePrevious(JSON.stringify(record), 'here')).toEqual(record);
  });
});
