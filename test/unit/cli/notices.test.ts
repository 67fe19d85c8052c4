import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBackup } from '../../../src/app/backup.ts';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';
import { shop } from '../../twins/world.ts';

let shell: Shell;
beforeEach(() => (shell = new Shell()));
afterEach(forgetDokkuOptions);

const told = (): string[] => shell.world.delivered.map(({ endpoint, url }) => `${endpoint} ${url}`);
const body = (i = -1): Record<string, unknown> => JSON.parse(shell.world.delivered.at(i)?.body?.text ?? '{}');

/** What comes on standard input is tested on a host: here it is there already. */
function keep(key: string, value: string): void {
  shell.world.disk.settings.set(shop, new Map([...(shell.world.disk.settings.get(shop) ?? []), [key, value]]));
}

describe('notices', () => {
  beforeEach(async () => {
    keep('webhook-url', 'https://w.example/hook-t0ken');
    keep('webhook-secret', 'sixteen-or-more-characters');
    keep('heartbeat-url', 'https://h.example/beat-t0ken');
    keep('heartbeat-style', 'healthchecks');
    keep('passphrase', 'correct horse battery');
  });

  it('tell of a backup that it begins, and that it succeeded', async () => {
    const id = await shell.run();
    expect(told()).toEqual([
      'heartbeat-start https://h.example/beat-t0ken/start',
      'heartbeat https://h.example/beat-t0ken',
      'webhook https://w.example/hook-t0ken',
    ]);
    expect(body()).toMatchObject({
      event: 'success',
      operation: 'backup',
      outcome: 'ok',
      host: 'host-a',
      service: 'shop',
      id,
      storedBytes: expect.any(Number),
      databaseBytes: expect.any(Number),
      tool: { name: 'dokku-pgbackup', version: '0.1.0' },
    });
  });

  it('tell of a backup that failed, without the secrets that the error may hold (pitfall 49)', async () => {
    const hidden = ['secret', 'hook-t0ken', 'beat-t0ken', 'sixteen-or-more-characters', 'correct horse battery'];
    const error = new Error(`psql: postgres://postgres:secret@host/shop ${hidden.join(' ')}`);
    const { ports } = shell.world.boot();
    Object.assign(ports.postgres, { open: async () => Promise.reject(error) });
    await expect(createBackup(ports, { target: 'shop', labels: {}, note: null, schemas: [], toolVersion: '0.1.0' })).rejects.toThrow(
      'psql',
    );
    expect(told().slice(1)).toEqual(['heartbeat-fail https://h.example/beat-t0ken/fail', 'webhook https://w.example/hook-t0ken']);
    expect(body()).toMatchObject({ event: 'failure', outcome: 'failed', code: 'bug' });
    for (const word of hidden) expect(JSON.stringify(body())).not.toContain(word);
  });

  it('tell of restores and undos, and of nothing that was only looked at', async () => {
    const id = await shell.run();
    shell.world.delivered.length = 0;
    await shell.dokku(`pgbackup:restore shop ${id} --dry-run`);
    await shell.dokku(`pgbackup:restore shop ${id}`);
    await shell.dokku('pgbackup:doctor shop');
    await shell.dokku('pgbackup:verify shop');
    expect(told()).toEqual([]);
    await shell.dokku(`pgbackup:restore shop ${id} --force`);
    expect(body()).toMatchObject({ event: 'restore', operation: 'restore', outcome: 'ok' });
    await shell.dokku('pgbackup:undo shop --force');
    expect(body()).toMatchObject({ event: 'restore', operation: 'undo', outcome: 'ok' });
    expect(told()).toHaveLength(2);
  });

  it('tell of what was pruned, by hand or after a backup, and of nothing where nothing was', async () => {
    for (let i = 0; i < 4; i += 1) await shell.run();
    await shell.dokku('pgbackup:prune shop');
    const prunes = (): unknown[] =>
      shell.world.delivered
        .filter(({ endpoint }) => endpoint === 'webhook')
        .map(({ body: sent }) => JSON.parse(sent?.text ?? '{}'))
        .filter(({ operation }) => operation === 'prune');
    expect(prunes()).toEqual([]);
    keep('keep-last', '2');
    await shell.dokku('pgbackup:prune shop --dry-run');
    expect(prunes()).toEqual([]);
    await shell.dokku('pgbackup:prune shop');
    expect(prunes()).toMatchObject([{ event: 'prune', outcome: 'ok', message: expect.stringMatching(/^2 backups removed, \d+ bytes$/) }]);
    await shell.run();
    expect(prunes()).toMatchObject([{}, { event: 'prune', message: expect.stringMatching(/^1 backups removed/) }]);
  });

  it('tell of a backup that failed before it began, but of no slip of the pen', async () => {
    await shell.dokku('pgbackup:run shpo');
    expect(told()).toEqual([]);
    shell.world.dokku.services.delete(shop);
    expect((await shell.dokku('pgbackup:run shop')).exit).toBe(4);
    expect(body()).toMatchObject({ event: 'failure', operation: 'backup', id: null, code: 'not-found', service: 'shop' });
  });

  it('change no outcome when every endpoint fails, and cost one warning each (pitfall 47)', async () => {
    shell.world.endpointsFail = true;
    const said = await shell.dokku('pgbackup:run shop');
    expect(said).toMatchObject({ exit: 0, out: expect.stringContaining('is taken and proven') });
    expect(said.err.match(/Not notified: /g)).toHaveLength(3);
    expect(said.err).toContain('Not notified: webhook https://w.example/…: HTTP 500');
    expect(said.err).not.toContain('t0ken');
    expect(shell.world.disk.log.at(-1)).toMatchObject({ outcome: 'ok' });
  });

  it('change no outcome when a setting of theirs is broken (pitfall 47)', async () => {
    keep('notify-timeout', 'soon');
    const said = await shell.dokku('pgbackup:run shop');
    expect(said).toMatchObject({ exit: 0, err: expect.stringContaining('Nobody was notified: notify-timeout "soon" is not a duration') });
  });

  it('are sent when the lock is free again', async () => {
    const { ports } = shell.world.boot();
    const free: boolean[] = [];
    const notifier = {
      ...ports.notifier,
      deliver: async (...given: Parameters<typeof ports.notifier.deliver>) => {
        const ended = given[0].some(({ endpoint }) => endpoint === 'webhook');
        if (ended) {
          await using _lock = await ports.locks.acquire(shop, 'another');
          free.push(true);
        }
        return ports.notifier.deliver(...given);
      },
    };
    await createBackup({ ...ports, notifier }, { target: 'shop', labels: {}, note: null, schemas: [], toolVersion: '0.1.0' });
    expect(free).toEqual([true]);
  });
});

describe('pgbackup:notify-test', () => {
  it('calls each endpoint and tells what it answered', async () => {
    keep('webhook-url', 'https://w.example/hook-t0ken');
    const said = await shell.dokku('pgbackup:notify-test web --service shop --format json');
    expect(said).toMatchObject({ exit: 0, err: '' });
    expect(JSON.parse(said.out)).toMatchObject({
      service: 'shop',
      outcomes: [{ endpoint: 'webhook', url: 'https://w.example/…', ok: true, status: 200, milliseconds: 1, message: null }],
    });
    expect(body()).toMatchObject({ event: 'test', service: 'shop' });
    expect((await shell.dokku('pgbackup:notify-test shop')).out).toContain('Reached:  webhook https://w.example/…: HTTP 200 in 1 ms');
  });

  it('exits 3 when one was not reached, and 4 when there is none', async () => {
    expect(await shell.dokku('pgbackup:notify-test shop')).toMatchObject({ exit: 4, err: expect.stringContaining('has nobody to notify') });
    keep('heartbeat-url', 'https://h.example/beat-t0ken');
    shell.world.endpointsFail = true;
    const said = await shell.dokku('pgbackup:notify-test shop');
    expect(said).toMatchObject({ exit: 3, out: expect.stringContaining('0 of 1 endpoints') });
    expect(said.out + said.err).not.toContain('t0ken');
  });
});

describe('secret settings', () => {
  it.each(['webhook-secret', 'passphrase'])('%s is refused on the command line, and not repeated', async (key) => {
    const said = await shell.dokku(`pgbackup:set shop ${key} hunter2hunter2hunter2`);
    expect(said).toMatchObject({ exit: 2, err: expect.stringContaining(`dokku pgbackup:set shop ${key} -`) });
    expect(said.out + said.err).not.toContain('hunter2');
    expect(shell.world.disk.settings.get(shop)?.has(key) ?? false).toBe(false);
  });

  it('are shown as *** everywhere, and addresses without their path', async () => {
    keep('webhook-secret', 'sixteen-or-more-characters');
    keep('passphrase', 'correct horse battery');
    keep('heartbeat-url', 'https://h.example/beat-t0ken');
    shell.world.disk.settings.set('--global', new Map([['webhook-secret', 'another-for-all-services']]));
    const texts = [(await shell.dokku('pgbackup:report shop')).out, (await shell.dokku('pgbackup:report shop --format json')).out];
    for (const text of texts) {
      for (const word of ['sixteen', 'horse', 't0ken', 'another']) expect(text).not.toContain(word);
    }
    expect(texts[0]).toMatch(/webhook secret: +\*\*\*/);
    expect(texts[0]).toMatch(/heartbeat url: +https:\/\/h\.example\/…/);
  });

  it('are cleared without being read', async () => {
    keep('webhook-secret', 'sixteen-or-more-characters');
    expect(await shell.dokku('pgbackup:set shop webhook-secret')).toMatchObject({ exit: 0 });
    expect(shell.world.disk.settings.get(shop)?.has('webhook-secret')).toBe(false);
  });

  it('an address is shown masked when it is set, and never repeated when it is refused', async () => {
    expect((await shell.dokku('pgbackup:set shop heartbeat-url https://h.example/t0ken')).out).toBe(
      '=====> heartbeat-url of shop is https://h.example/…\n',
    );
    for (const url of ['ftp://h.example/t0ken', 'https://u:t0ken@h.example/', 't0ken', 'https://h.example/t0_ken']) {
      const said = await shell.dokku(`pgbackup:set shop webhook-url ${url}`);
      expect(said.exit).toBe(2);
      expect(said.err).not.toMatch(/t0.?ken/);
    }
  });

  it('the directory of the textfile is for the whole host', async () => {
    expect(await shell.dokku('pgbackup:set shop textfile-dir /tmp')).toMatchObject({ exit: 2, err: expect.stringContaining('--global') });
  });
});
