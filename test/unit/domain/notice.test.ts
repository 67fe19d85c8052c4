import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliveryId, noticeRequests, scrub, startRequest, webhookBody, type Notice } from '../../../src/domain/notice.ts';
import { parseNoticeSettings } from '../../../src/domain/notice-settings.ts';
import { checkedValues } from '../../../src/domain/settings.ts';
import { maskUrl } from '../../../src/domain/url.ts';

const notice: Notice = {
  event: 'success',
  operation: 'backup',
  outcome: 'ok',
  host: 'host-a',
  service: 'shop',
  schedule: null,
  id: 'shop-20261120T031500Z-0001',
  startedAt: '2026-11-20T03:15:00.000Z',
  time: '2026-11-20T03:15:04.000Z',
  seconds: 4,
  storedBytes: 1200,
  databaseBytes: 9000,
  storages: [],
  code: null,
  message: '1200 bytes, 2 tables',
};
const failed: Notice = { ...notice, event: 'failure', outcome: 'failed', code: 'docker', message: 'no Docker' };

const settings = (own: Record<string, string>): ReturnType<typeof parseNoticeSettings> =>
  parseNoticeSettings(checkedValues(new Map(Object.entries(own)), new Map()));
const called = (own: Record<string, string>, what: Notice): string[] =>
  noticeRequests(settings(own), what, '0.1.0').map(({ endpoint, method, url }) => `${endpoint} ${method} ${url}`);

describe('a notice', () => {
  const url = 'https://hc.example/t0ken?x=1';

  it('leads to no call where nothing is set', () => {
    expect(called({}, notice)).toEqual([]);
    expect(startRequest(settings({}))).toBeUndefined();
  });

  it.each<[string, Record<string, string>, Notice, string[]]>([
    ['a plain heartbeat beats for a success', { 'heartbeat-url': url }, notice, [`heartbeat GET ${url}`]],
    ['a plain heartbeat is silent about a failure', { 'heartbeat-url': url }, failed, []],
    [
      'S0.2 another address is called on failure',
      { 'heartbeat-url': url, 'heartbeat-fail-url': 'https://a.example/f' },
      failed,
      ['heartbeat-fail GET https://a.example/f'],
    ],
    ['only the address for failures may be set', { 'heartbeat-fail-url': 'https://a.example/f' }, notice, []],
    [
      'a healthchecks heartbeat tells of failures below its address',
      { 'heartbeat-url': url, 'heartbeat-style': 'healthchecks', 'heartbeat-method': 'POST' },
      failed,
      ['heartbeat-fail POST https://hc.example/t0ken/fail?x=1'],
    ],
    ['a backup that missed a storage is no heartbeat', { 'heartbeat-url': url }, { ...failed, outcome: 'partial' }, []],
    ['a restore is no heartbeat', { 'heartbeat-url': url }, { ...notice, event: 'restore', operation: 'restore' }, []],
    [
      'a failed restore is told to the webhook alone',
      { 'heartbeat-fail-url': url, 'webhook-url': 'http://h/' },
      { ...failed, operation: 'restore' },
      ['webhook POST http://h/'],
    ],
    ['a webhook hears of all by default', { 'webhook-url': 'http://h/' }, { ...notice, event: 'overdue' }, ['webhook POST http://h/']],
    ['a webhook hears of what it was subscribed to', { 'webhook-url': 'http://h/', 'webhook-events': 'failure,prune' }, notice, []],
    ['a webhook may be silenced', { 'webhook-url': 'http://h/', 'webhook-events': 'none' }, failed, []],
    [
      'a test goes everywhere',
      { 'heartbeat-url': url, 'heartbeat-fail-url': 'https://a.example/f', 'webhook-url': 'http://h/', 'webhook-events': 'none' },
      { ...notice, event: 'test', operation: 'notify-test' },
      [`heartbeat GET ${url}`, 'heartbeat-fail GET https://a.example/f', 'webhook POST http://h/'],
    ],
    [
      'a test leaves the state of a healthchecks check alone',
      { 'heartbeat-url': url, 'heartbeat-style': 'healthchecks' },
      { ...notice, event: 'test', operation: 'notify-test' },
      ['heartbeat GET https://hc.example/t0ken/log?x=1'],
    ],
  ])('%s', (_, own, what, expected) => expect(called(own, what)).toEqual(expected));

  it('is preceded by a start where that was asked for', () => {
    expect(startRequest(settings({ 'heartbeat-url': url }))).toBeUndefined();
    expect(startRequest(settings({ 'heartbeat-url': `${url}`, 'heartbeat-style': 'healthchecks' }))).toMatchObject({
      url: 'https://hc.example/t0ken/start?x=1',
      method: 'GET',
    });
  });

  it('has the same delivery id at each attempt, and another for each event', () => {
    expect(deliveryId(notice)).toBe('shop-20261120T031500Z-0001-success');
    expect(deliveryId({ ...notice, event: 'overdue', id: null, schedule: 'nightly' })).toBe(
      'shop-nightly-2026-11-20T03:15:00.000Z-overdue',
    );
  });

  it('is JSON of exactly the fields that the guide documents', () => {
    expect(JSON.parse(webhookBody(notice, '0.1.0'))).toEqual({
      version: 1,
      delivery: 'shop-20261120T031500Z-0001-success',
      ...notice,
      tool: { name: 'dokku-pgbackup', version: '0.1.0' },
    });
  });
});

describe('a message on its way out', () => {
  const secret = fc
    .string({ minLength: 4, maxLength: 40, unit: 'grapheme-ascii' })
    .filter((text) => text.trim() === text && !'***'.includes(text));

  it('holds none of the secrets given, wherever they stood', () => {
    const messages = fc.array(fc.string({ maxLength: 30 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 4 }), messages, (secrets, parts) => {
        const message = parts.map((part, i) => part + (secrets[i % secrets.length] ?? '')).join(' ');
        const text = scrub(message, secrets);
        // What is put in their place may make up another with its neighbours, of stars.
        for (const one of secrets.filter((each) => !each.includes('*'))) expect(text).not.toContain(one);
      }),
    );
  });

  it.each([
    [
      'could not connect to postgres://postgres:hunter2@dokku-postgres-shop:5432/shop',
      'could not connect to postgres://***@dokku-postgres-shop:5432/shop',
    ],
    ['GET https://user:pw@s3.example/b failed', 'GET https://***@s3.example/b failed'],
    ['mail to a@b.example', 'mail to a@b.example'],
  ])('hides credentials in addresses: %s', (message, expected) => expect(scrub(message, [])).toBe(expected));

  it('hides a secret also where it was percent-encoded, and is not endless', () => {
    expect(scrub('x=p%40ss%2Fword', ['p@ss/word'])).toBe('x=***');
    expect(scrub('a'.repeat(5000), [])).toHaveLength(1001);
  });
});

describe('an address', () => {
  it.each([
    ['https://hc-ping.com/0b1c-uuid', 'https://hc-ping.com/…'],
    ['https://hc-ping.com/?token=x', 'https://hc-ping.com/…'],
    ['https://hc-ping.com/#x', 'https://hc-ping.com/…'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/'],
    ['https://user:pw@h.example/', 'https://h.example/'],
    ['no address', '…'],
  ])('%s is shown as %s', (url, shown) => expect(maskUrl(url)).toBe(shown));
});
