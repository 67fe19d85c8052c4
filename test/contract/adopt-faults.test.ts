import { describe, expect, it } from 'vitest';
import { adopt, type AdoptRequest } from '../../src/app/adopt.ts';
import { archiveKey, readCatalog } from '../../src/app/catalog.ts';
import { hashStored } from '../../src/app/copies.ts';
import { parseStorageName } from '../../src/domain/storage-name.ts';
import { Faults } from '../twins/faults.ts';
import { shop, World } from '../twins/world.ts';

const bucket = parseStorageName('shop-s3');
// Not a passphrase: age makes each a second of work.
const recipient = 'age1hcgfshvpnljcpssndwz9rxh2zk8suflv24ed2flteehc40595qpq9rrrs0';
const request: AdoptRequest = {
  target: 'shop',
  storage: undefined,
  region: undefined,
  recipients: [recipient],
  withoutEncryption: false,
  keepOld: false,
  cron: undefined,
  dryRun: false,
  confirm: 'shop',
  force: false,
  toolVersion: '0.1.0',
};

function worldOfTheirs(): World {
  const world = new World();
  world.legacy = {
    keys: { accessKeyId: 'AKIATHEIRS', secretAccessKey: 'their-secret' },
    region: 'eu-west-2',
    endpoint: undefined,
    signatureVersion: undefined,
    passphrase: undefined,
    publicKey: '0xDEADBEEF',
    crontab: '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket \n',
  };
  return world;
}

/** What may be changed by adopting, beside what lies in the bucket. */
function stateOf(world: World): string {
  return JSON.stringify([world.legacy?.crontab, world.schedules.crontab, [...(world.disk.settings.get(shop) ?? [])]]);
}

/** True at every moment: a service whose old schedule is gone has a new one, and a backup that is whole and encrypted. */
async function flawOf(world: World): Promise<string | undefined> {
  if (world.legacy?.crontab !== undefined) return undefined;
  if (!world.schedules.crontab.some(({ schedule, command }) => schedule === '0 3 * * *' && command.startsWith('dokku pgbackup:run shop ')))
    return 'neither dokku-postgres nor pgbackup has a schedule';
  const settings = world.disk.settings.get(shop);
  if (settings?.get('storages') !== 'shop-s3') return 'its backups go elsewhere';
  if (settings.get('recipients') !== recipient) return 'its backups are no longer encrypted';
  const storage = world.others.get(bucket);
  const [entry] = storage ? (await readCatalog([storage], 'shop')).entries : [];
  if (!storage || !entry) return 'there is no backup';
  if (entry.manifest.archive.encryption === null) return 'the backup is not encrypted';
  const { sha256 } = await hashStored(storage, archiveKey(entry));
  return sha256 === entry.manifest.archive.storedSha256 ? undefined : 'the backup is not what was stored';
}

async function calls(): Promise<readonly string[]> {
  const { ports, faults } = worldOfTheirs().boot();
  await adopt(ports, request);
  return faults.calls;
}

/** What is wrong once the command has been given again, as long as it had anything to do. */
async function flawsAfterRepeating(world: World): Promise<string[]> {
  const flaws = [await flawOf(world)];
  if (world.legacy?.crontab !== undefined) await adopt(world.boot().ports, request);
  if (world.legacy?.crontab !== undefined) flaws.push('the old schedule is still there');
  if (world.schedules.crontab.length !== 1) flaws.push(`there are ${world.schedules.crontab.length} schedules`);
  return [...flaws, await flawOf(world)].filter((flaw) => flaw !== undefined);
}

describe('taking over from dokku-postgres, whatever fails', () => {
  it('whichever call fails, either all is done, or settings and schedules are what they were', { timeout: 120_000 }, async () => {
    const all = await calls();
    expect(all.length).toBeGreaterThan(30);
    const flaws: string[] = [];
    for (const [index, call] of all.entries()) {
      for (const effect of ['none', 'whole'] as const) {
        const world = worldOfTheirs();
        const before = stateOf(world);
        const { ports } = world.boot(new Faults({ index, effect, scope: 'once' }));
        const found: string[] = [];
        try {
          await adopt(ports, request);
          if (world.legacy?.crontab !== undefined) found.push('it is said to be done, and the old schedule is there');
        } catch {
          // All but the removal of the old schedule had been done by then.
          if (call !== 'legacyBackups.unschedule' && stateOf(world) !== before) found.push(`it was ${before}, and is ${stateOf(world)}`);
        }
        found.push(...(await flawsAfterRepeating(world)));
        flaws.push(...found.map((flaw) => `${effect} of call ${index}, ${call}: ${flaw}`));
      }
    }
    expect(flaws).toEqual([]);
  });

  it('killed at any call, it can be done again, and until then the old schedule stays', { timeout: 120_000 }, async () => {
    const flaws: string[] = [];
    for (const [index, call] of (await calls()).entries()) {
      for (const effect of ['none', 'whole'] as const) {
        const world = worldOfTheirs();
        const { ports } = world.boot(new Faults({ index, effect, scope: 'process' }));
        await adopt(ports, request).catch(() => {});
        flaws.push(...(await flawsAfterRepeating(world)).map((flaw) => `killed with ${effect} of call ${index}, ${call}: ${flaw}`));
      }
    }
    expect(flaws).toEqual([]);
  });
});
