import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseServiceName } from '../../../src/domain/names.ts';
import { forgetDokkuOptions, Shell } from '../../tools/shell.ts';
import { shop } from '../../twins/world.ts';

let shell: Shell;

beforeEach(() => {
  shell = new Shell();
});
afterEach(forgetDokkuOptions);

describe('pgbackup:set', () => {
  it('clears what a service that is gone has left, so that it keeps no storage in use', async () => {
    await shell.dokku('pgbackup:storage-create second local --path /second');
    expect(await shell.dokku('pgbackup:set shop storages local,second')).toMatchObject({ exit: 0 });
    shell.world.dokku.services.delete(shop);
    expect(await shell.dokku('pgbackup:storage-destroy second --force')).toMatchObject({ exit: 5 });
    expect(await shell.dokku('pgbackup:set shop storages')).toMatchObject({
      exit: 0,
      out: '=====> storages of shop is back to its default\n',
    });
    // Now nothing is known of it any more.
    expect(await shell.dokku('pgbackup:set shop storages')).toMatchObject({ exit: 4 });
  });

  it('takes a name for the app that is there before it takes it for a service that is gone', async () => {
    shell.world.disk.settings.set(parseServiceName('web'), new Map([['jobs', '2']]));
    expect((await shell.dokku('pgbackup:set web jobs 3')).out).toBe('=====> jobs of shop is 3\n');
  });
});
