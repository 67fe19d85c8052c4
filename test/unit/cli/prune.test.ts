import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';

let shell: Shell;
let ids: string[];

beforeEach(async () => {
  shell = new Shell();
  ids = [];
  for (let i = 0; i < 4; i += 1) {
    ids.push(await shell.run());
    shell.world.advance(3600);
  }
  await shell.dokku('pgbackup:set shop min-keep 1');
  await shell.dokku('pgbackup:set shop keep-last 2');
});
afterEach(forgetDokkuOptions);

describe('pgbackup:prune', () => {
  it('says what it would do, and why, then does it', async () => {
    const planned = await shell.dokku('pgbackup:prune web --dry-run');
    expect(planned).toMatchObject({ exit: 0, err: '' });
    const lines = planned.out.split('\n');
    expect(lines[0]).toBe('-----> Pruning shop: keep-last 2, min-keep 1');
    expect(lines[1]).toBe('       In local (memory)');
    expect(lines[2]).toMatch(/^ {8}ID +TAKEN +SIZE +WHY$/);
    expect(lines[3]).toMatch(
      new RegExp(`^REMOVE {2}${ids[0]} {2}2026-11-20 03:15:00 UTC {2}\\d+ B {2}no rule keeps it \\(keep-last 2\\)$`),
    );
    expect(lines[6]).toMatch(new RegExp(`^KEEP {4}${ids[3]} .* newest proven, last 2, min-keep 1$`));
    expect(lines[7]).toMatch(/^=====> 2 backups of shop would be removed \(\d+ B\), 2 kept$/);
    expect(JSON.parse((await shell.dokku('pgbackup:list shop --format json')).out)).toHaveLength(4);

    expect((await shell.dokku('pgbackup:prune shop')).out).toMatch(/=====> 2 backups of shop removed \(\d+ B\), 2 kept\n$/);
    expect(JSON.parse((await shell.dokku('pgbackup:list shop --format json')).out)).toHaveLength(2);
    expect((await shell.dokku('pgbackup:prune shop')).out).toContain('=====> 0 backups of shop removed (0 B), 2 kept');
  });

  it('gives JSON, and with --quiet the ids alone', async () => {
    expect((await shell.dokku('pgbackup:prune shop --dry-run --quiet')).out).toBe(`${ids[0]}\n${ids[1]}\n`);
    const result = JSON.parse((await shell.dokku('pgbackup:prune shop --format json')).out);
    expect(result).toMatchObject({ service: 'shop', dryRun: false, rules: 'keep-last 2', minKeep: 1 });
    expect(result.storages[0].backups.map((one: { id: string; removed: boolean }) => [one.id, one.removed])).toEqual([
      [ids[0], true],
      [ids[1], true],
      [ids[2], false],
      [ids[3], false],
    ]);
    expect(JSON.parse((await shell.dokku('pgbackup:prune --all --format json')).out)).toMatchObject([{ service: 'shop' }]);
  });

  it('says so where no policy is set', async () => {
    await shell.dokku('pgbackup:set shop keep-last');
    const { out } = await shell.dokku('pgbackup:prune shop');
    expect(out).toContain('-----> Pruning shop: no retention policy is set, nothing is removed');
    expect(out).toContain('=====> 0 backups of shop removed (0 B), 4 kept');
  });

  it('ends with exit 3 where something could not be removed (pitfall 19)', async () => {
    const remove = shell.world.storage.delete.bind(shell.world.storage);
    shell.world.storage.delete = async (key) => {
      if (key.includes(ids[0] ?? '')) throw new Error('403 AccessDenied');
      await remove(key);
    };
    const said = await shell.dokku('pgbackup:prune shop');
    expect(said).toMatchObject({ exit: 3, err: expect.stringContaining('Not everything could be pruned. local: 403 AccessDenied') });
    expect(said.out).toContain('=====> 1 backups of shop removed');
  });

  it.each(['pgbackup:prune', 'pgbackup:prune shop --all', 'pgbackup:prune --all --service shop'])(
    '%s is refused with exit 2',
    async (line) => {
      expect(await shell.dokku(line)).toMatchObject({ exit: 2, err: expect.stringContaining('pgbackup:prune <target>|--all') });
    },
  );

  it('fails with exit 4 for what is neither here nor in the storage', async () => {
    expect((await shell.dokku('pgbackup:prune nope')).exit).toBe(4);
  });
});
