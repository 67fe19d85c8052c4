import { describe, expect, it } from 'vitest';
import { parsePrevious } from '../../../src/domain/previous.ts';
import { checkSetting, effectiveValue, parseSettings, settingKeys, settingRules } from '../../../src/domain/settings.ts';

const none = new Map<string, string>();
const of = (entries: Record<string, string>): Map<string, string> => new Map(Object.entries(entries));

describe('the settings', () => {
  it('have defaults', () => {
    expect(parseSettings(none, none)).toEqual({
      backupDir: undefined,
      keepPrevious: 86_400,
      lockTimeout: 60,
      compressionLevel: 3,
      jobs: undefined,
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
      keepPrevious: 86_400,
      lockTimeout: 60,
      compressionLevel: 3,
      jobs: 2,
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
  ])('%s does not take "%s"', (key, value) => {
    expect(() => checkSetting(key, value)).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining(key) }));
    expect(() => parseSettings(of({ [key]: value }), none)).toThrow(expect.objectContaining({ code: 'usage' }));
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
