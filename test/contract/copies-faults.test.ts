import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../src/adapters/storage/memory.ts';
import { createBackup, failedCopies, type BackupRequest } from '../../src/app/backup.ts';
import { archiveKey, readCatalog } from '../../src/app/catalog.ts';
import { hashStored } from '../../src/app/copies.ts';
import { repair } from '../../src/app/repair.ts';
import { parseStorageName } from '../../src/domain/storage-name.ts';
import type { Storage } from '../../src/ports.ts';
import { keysIn } from '../tools/bytes.ts';
import { Faults } from '../twins/faults.ts';
import { shop, World } from '../twins/world.ts';

const offsite = parseStorageName('offsite');
const request: BackupRequest = { target: 'shop', labels: {}, note: null, schemas: [], toolVersion: '0.1.0' };

function worldOfTwo(): World {
  const world = new World();
  world.others.set(offsite, new MemoryStorage('offsite'));
  world.disk.settings.set(shop, new Map([['storages', 'local,offsite']]));
  return world;
}

function other(world: World): Storage {
  const found = world.others.get(offsite);
  if (!found) throw new Error('there is no second storage');
  return found;
}

/** What is wrong with a storage: a backup listed that is not whole, or where `tidy` anything that belongs to none. */
async function flawsOf(storage: Storage, tidy: boolean): Promise<string[]> {
  const { entries, problems } = await readCatalog([storage], 'shop');
  const flaws = problems.map(({ message }) => message);
  const known = new Set<string>();
  for (const entry of entries) {
    known.add(archiveKey(entry)).add(`${entry.folder}manifest.json`);
    const stored = await hashStored(storage, archiveKey(entry));
    if (stored.sha256 !== entry.manifest.archive.storedSha256) flaws.push(`${entry.manifest.id} is not what was stored`);
  }
  if (tidy) flaws.push(...(await keysIn(storage, '')).filter((key) => !known.has(key)).map((key) => `${key} belongs to no backup`));
  return flaws;
}

describe('a backup to two storages (pitfall 22)', () => {
  it('lies in both, the same to the byte, and its manifest names both', async () => {
    const world = worldOfTwo();
    const { manifest, places, behind } = await createBackup(world.boot().ports, request);
    expect(await keysIn(other(world), '')).toEqual(await keysIn(world.storage, ''));
    for (const key of await keysIn(world.storage, ''))
      expect(await hashStored(other(world), key)).toEqual(await hashStored(world.storage, key));
    expect(manifest.storages).toEqual([
      { name: 'local', stored: true, message: null },
      { name: 'offsite', stored: true, message: null },
    ]);
    expect(places).toHaveLength(2);
    expect(behind).toEqual({});
    const { entries } = await readCatalog([world.storage, other(world)], 'shop');
    expect(entries.map(({ copies }) => copies.length)).toEqual([2]);
  });

  it('whichever call of one of them fails, the other has a whole backup that says so, and the failed one nothing', async () => {
    const probe = worldOfTwo().boot();
    await createBackup(probe.ports, request);
    // Lists and sweeps come when it is a backup already, and change nothing of it. Nor does a last look that a distant
    // storage does not answer: keys that may only write have none.
    const calls = probe.faults.calls
      .map((call, index) => ({ call, index }))
      .filter(({ call }) => /^(?:storage|offsite)\.(?!list|sweep)/.test(call) && !/^offsite\.head .*archive/.test(call));
    expect(calls.length).toBeGreaterThanOrEqual(8);
    for (const { call, index } of calls) {
      for (const effect of ['none', 'whole'] as const) {
        const world = worldOfTwo();
        const first = world.boot(new Faults([{ index, effect, scope: 'once' }]));
        const { manifest } = await createBackup(first.ports, request);
        const name = call.startsWith('offsite') ? 'offsite' : 'local';
        expect(
          failedCopies(manifest).map((copy) => copy.name),
          `in ${call}`,
        ).toEqual([name]);
        const [good, bad] = name === 'offsite' ? [world.storage, other(world)] : [other(world), world.storage];
        const listed = await readCatalog([good], 'shop');
        expect(
          listed.entries.map((entry) => entry.manifest),
          `in ${call}`,
        ).toEqual([manifest]);
        expect(await flawsOf(good, true), `in ${call}`).toEqual([]);
        expect(await keysIn(bad, ''), `in ${call}`).toEqual([]);
        expect(first.transcript.warnings.join('\n'), `in ${call}`).toContain(`${name}: `);
        expect(world.disk.log.at(-1), `in ${call}`).toMatchObject({ outcome: 'partial' });
      }
    }
  });

  it('the next run says what the one that was away still lacks', async () => {
    const world = worldOfTwo();
    const probe = worldOfTwo().boot();
    await createBackup(probe.ports, request);
    const put = probe.faults.calls.findIndex((call) => call.startsWith('offsite.put'));
    await createBackup(world.boot().ports, request);
    const { manifest } = await createBackup(world.boot(new Faults([{ index: put, effect: 'none', scope: 'once' }])).ports, request);
    const { behind } = await createBackup(world.boot().ports, request);
    expect(behind).toEqual({ offsite: [manifest.id] });
  });

  it('killed at any call, it leaves whole backups alone, and the next command cleans both', async () => {
    const probe = worldOfTwo().boot();
    await createBackup(probe.ports, request);
    for (let index = 0; index < probe.faults.calls.length; index += 1) {
      for (const effect of ['none', 'whole'] as const) {
        const world = worldOfTwo();
        await createBackup(world.boot(new Faults([{ index, effect, scope: 'process' }])).ports, request).catch(() => {});
        const where = `call ${index}, ${probe.faults.calls[index]}`;
        for (const storage of [world.storage, other(world)]) expect(await flawsOf(storage, false), `at ${where}`).toEqual([]);
        await repair(world.boot().ports, { target: 'shop' });
        for (const storage of [world.storage, other(world)]) expect(await flawsOf(storage, true), `at ${where}`).toEqual([]);
        expect(world.disk.journals.size, `at ${where}`).toBe(0);
      }
    }
  });

  it('fails only when both do, with nothing left', async () => {
    const world = worldOfTwo();
    const probe = worldOfTwo().boot();
    await createBackup(probe.ports, request);
    const puts = probe.faults.calls.flatMap((call, index) => (/^(?:storage|offsite)\.put .*archive/.test(call) ? [index] : []));
    expect(puts).toHaveLength(2);
    const faults = new Faults(puts.map((index) => ({ index, effect: 'none' as const, scope: 'once' as const })));
    await expect(createBackup(world.boot(faults).ports, request)).rejects.toThrow('injected');
    for (const storage of [world.storage, other(world)]) expect(await keysIn(storage, '')).toEqual([]);
    expect(world.disk.journals.size).toBe(0);
  });
});
