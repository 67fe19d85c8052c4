import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createServer, connect, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HttpNotifier } from '../../../src/adapters/notifier.ts';
import type { NoticeRequest } from '../../../src/domain/notice.ts';
import { HookServer } from '../../tools/hook-server.ts';

const at = new Date('2026-11-20T03:15:00.900Z');
const notifier = new HttpNotifier({ now: () => at, suffix: () => 'aaaa' }, '0.1.0');

function call(url: string, more: Partial<NoticeRequest> = {}): NoticeRequest {
  return { endpoint: 'heartbeat', url, method: 'GET', body: undefined, headers: {}, secret: undefined, ...more };
}

function post(url: string, text: string, secret?: string): NoticeRequest {
  return call(url, {
    endpoint: 'webhook',
    method: 'POST',
    body: { type: 'application/json', text },
    headers: { 'X-Pgbackup-Event': 'test' },
    secret,
  });
}

async function timed<T>(work: Promise<T>): Promise<{ result: T; seconds: number }> {
  const begun = performance.now();
  const result = await work;
  return { result, seconds: (performance.now() - begun) / 1000 };
}

describe('the notifier', () => {
  it.each(['GET', 'HEAD'] as const)('calls a heartbeat with %s and says how long it took', async (method) => {
    await using hook = await HookServer.listen(['204']);
    const [outcome] = await notifier.deliver([call(hook.url('/ping/t0ken?a=b'), { method })], 2);
    expect(outcome).toMatchObject({ ok: true, status: 204, message: null, url: `http://127.0.0.1:${hook.port}/…` });
    expect(hook.received).toMatchObject([{ method, url: '/ping/t0ken?a=b', headers: { 'user-agent': 'dokku-pgbackup/0.1.0' } }]);
  });

  it('signs a body as openssl does, over the time and the body', async () => {
    await using hook = await HookServer.listen();
    const body = '{"message":"zwölf 🐘"}';
    await notifier.deliver([post(hook.url('/'), body, 'sixteen characters')], 2);
    const [received] = hook.received;
    expect(received?.body).toBe(body);
    expect(received?.headers).toMatchObject({
      'x-pgbackup-timestamp': '1795144500',
      'content-type': 'application/json; charset=utf-8',
      'x-pgbackup-event': 'test',
    });
    const signed = execFileSync('openssl', ['dgst', '-sha256', '-hmac', 'sixteen characters', '-r'], { input: `1795144500.${body}` });
    expect(received?.headers['x-pgbackup-signature']).toBe(`sha256=${signed.toString().slice(0, 64)}`);
    expect(received?.headers['x-pgbackup-signature']).not.toBe(`sha256=${createHmac('sha256', 'another').update(body).digest('hex')}`);
  });

  it('signs nothing where there is no secret', async () => {
    await using hook = await HookServer.listen();
    await notifier.deliver([post(hook.url('/'), '{}')], 2);
    expect(hook.received[0]?.headers).not.toHaveProperty('x-pgbackup-signature');
  });

  it.each([
    ['500', '500', 2],
    ['503', '503', 2],
    ['404', '404', 1],
    ['reset', null, 2],
  ])('tells of an endpoint that answers %s, and tries once more where that may help', async (answer, status, attempts) => {
    await using hook = await HookServer.listen([answer]);
    const [outcome] = await notifier.deliver([post(hook.url('/s3cret'), '{}')], 3);
    expect(outcome).toMatchObject({ ok: false, status: status === null ? null : Number(status), message: expect.any(String) });
    expect(JSON.stringify(outcome)).not.toContain('s3cret');
    expect(hook.received).toHaveLength(attempts);
  });

  it.each(['500', 'reset'])('is content when the second attempt succeeds after %s', async (answer) => {
    await using hook = await HookServer.listen([answer, '200']);
    expect(await notifier.deliver([post(hook.url('/'), '{}')], 3)).toMatchObject([{ ok: true, status: 200 }]);
    expect(hook.received[0]).toEqual(hook.received[1]);
  });

  it.each(['hang', 'slow-head'])('waits no longer than it may for an endpoint that answers %s (pitfall 47)', async (answer) => {
    await using hook = await HookServer.listen([answer]);
    const { result, seconds } = await timed(notifier.deliver([post(hook.url('/'), '{}'), call(hook.url('/'))], 1));
    expect(result).toMatchObject([
      { ok: false, status: null, message: 'no answer within 1 s' },
      { ok: false, message: 'no answer within 1 s' },
    ]);
    expect(seconds).toBeLessThan(1.5);
  });

  it('does not wait for the end of a body that drips', async () => {
    await using hook = await HookServer.listen(['drip']);
    const { result, seconds } = await timed(notifier.deliver([call(hook.url('/'))], 5));
    expect(result).toMatchObject([{ ok: true, status: 200 }]);
    expect(seconds).toBeLessThan(1);
  });

  it('keeps its time also when the first attempt fails at once and the second hangs', async () => {
    await using hook = await HookServer.listen(['500', 'hang']);
    const { result, seconds } = await timed(notifier.deliver([call(hook.url('/'))], 1));
    expect(result).toMatchObject([{ ok: false, status: 500, message: 'HTTP 500' }]);
    expect(seconds).toBeLessThan(1.5);
  });

  it('says so when nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await notifier.deliver([call(`http://127.0.0.1:${port}/t0ken`)], 2)).toMatchObject([
      { ok: false, status: null, message: expect.stringContaining('ECONNREFUSED') },
    ]);
  });

  it('says so when there is no such name', async () => {
    const [outcome] = await notifier.deliver([call('http://nowhere.invalid/t0ken')], 2);
    expect(outcome).toMatchObject({ ok: false, status: null });
    expect(JSON.stringify(outcome)).not.toContain('t0ken');
  });

  it('says so when what answers does not speak HTTP', async () => {
    const server = createServer((socket) => socket.end('220 mail.example.org ESMTP\r\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await notifier.deliver([call(`http://127.0.0.1:${port}/`)], 2)).toMatchObject([{ ok: false, status: null }]);
    server.close();
    connect(port).on('error', () => {});
  });

  it('follows a redirect of a heartbeat on the same host', async () => {
    await using hook = await HookServer.listen(['moved:/there', '200']);
    expect(await notifier.deliver([call(hook.url('/here'))], 2)).toMatchObject([{ ok: true }]);
    expect(hook.received.map(({ url }) => url)).toEqual(['/here', '/there']);
  });

  it('follows no redirect to another host, nor any without an end', async () => {
    await using other = await HookServer.listen();
    await using hook = await HookServer.listen([`moved:http://localhost:${other.port}/`]);
    expect(await notifier.deliver([call(hook.url('/here'))], 2)).toMatchObject([{ ok: false, status: 302 }]);
    expect(other.received).toEqual([]);
    hook.answers = ['moved:/here'];
    hook.received.length = 0;
    expect(await notifier.deliver([call(hook.url('/here'))], 2)).toMatchObject([{ ok: false, status: 302 }]);
    expect(hook.received).toHaveLength(4);
  });

  it.each(['moved', 'kept'])('sends a body nowhere but to the address that was set (%s)', async (how) => {
    await using hook = await HookServer.listen([`${how}:/there`]);
    expect(await notifier.deliver([post(hook.url('/here'), '{}')], 2)).toMatchObject([
      { ok: false, message: expect.stringContaining('it has moved') },
    ]);
    expect(hook.received.map(({ url }) => url)).toEqual(['/here']);
  });
});
