import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { archiveKey, readCatalog } from '../../src/app/catalog.ts';
import { createBackup, type BackupRequest } from '../../src/app/backup.ts';
import { hashStored } from '../../src/app/copies.ts';
import { repair } from '../../src/app/repair.ts';
import { PgbackupError } from '../../src/domain/errors.ts';
import { localStorage } from '../../src/domain/storage-name.ts';
import { readDump } from '../twins/content.ts';
import { type Fault, Faults } from '../twins/faults.ts';
import { shop, World } from '../twins/world.ts';
import { keysIn } from '../tools/bytes.ts';

const effects = ['none', 'whole'] as const;

const request: BackupRequest = { target: 'shop', labels: { level: '1200' }, note: 'a note', schemas: [], toolVersion: '0.1.0' };

/** What is wrong with the storage: a listed backup that is not whole, or, where `tidy`, anything that belongs to no backup. */
async function flawsOf(world: World, tidy: boolean): Promise<string[]> {
  const flaws: string[] = [];
  const { entries, problems } = await readCatalog([world.storage], 'shop');
  flaws.push(...problems.map((problem) => problem.message));
  const whole = new Set<string>();
  for (const entry of entries) {
    const key = archiveKey(entry);
    whole.add(key).add(`${entry.folder}manifest.json`);
    if (!(await world.storage.head(key))) {
      flaws.push(`${entry.manifest.id} is listed and has no archive`);
      continue;
    }
    const stored = await hashStored(world.storage, key, new AbortController().signal);
    if (stored.sha256 !== entry.manifest.archive.storedSha256) flaws.push(`${entry.manifest.id} is listed and not what was stored`);
    const content = readDump(Buffer.concat(await (await world.storage.get(key)).toArray()));
    if (JSON.stringify(content.tables) !== JSON.stringify(entry.manifest.rows))
      flaws.push(`${entry.manifest.id} does not hold the rows of its manifest`);
  }
  if (tidy) flaws.push(...(await keysIn(world.storage, '')).filter((key) => !whole.has(key)).map((key) => `${key} belongs to no backup`));
  return flaws;
}

async function worldWithBackup(): Promise<World> {
  const world = new World();
  await createBackup(world.boot().ports, request);
  return world;
}

/** A backup with a fault, then the next command. @returns what is wrong, and how many calls the backup made. */
async function backUpWith(faults: readonly Fault[]): Promise<{ flaws: string[]; calls: readonly string[]; struck: number; done: boolean }> {
  const world = await worldWithBackup();
  const first = world.boot(new Faults(faults));
  const done = await createBackup(first.ports, request).then(
    () => !first.faults.dead,
    () => false,
  );
  const flaws = await flawsOf(world, false);
  const listed = (await readCatalog([world.storage], 'shop')).entries.length;
  if (done && listed !== 2) flaws.push('it is said to be taken, and is not listed');
  if (done && world.disk.journals.size > 0 && first.transcript.warnings.length === 0)
    flaws.push('it is said to be taken, and its journal is left without a word');
  if (!first.faults.dead && world.postgres.sidecars.size > 0) flaws.push('it has left a sidecar though it could have ended it');
  if (!world.disk.journals.has(shop)) flaws.push(...(await flawsOf(world, true)).map((flaw) => `and no journal tells: ${flaw}`));
  // The next command, whichever it is, begins with the recovery.
  await repair(world.boot().ports, { target: 'shop' });
  flaws.push(...(await flawsOf(world, true)).map((flaw) => `after recovery ${flaw}`));
  if (world.disk.journals.size > 0) flaws.push('the journal is left');
  if (world.disk.spools.size > 0) flaws.push('a spool is left');
  if (world.postgres.sidecars.size > 0) flaws.push('a sidecar is left');
  const again = await createBackup(world.boot().ports, request);
  if ((await readCatalog([world.storage], 'shop')).entries.at(-1)?.manifest.id !== again.manifest.id)
    flaws.push('the next backup is not listed');
  return { flaws, calls: first.faults.calls, struck: first.faults.struck, done };
}

describe('a backup, whatever fails (pitfalls 1, 20, 21)', () => {
  it('is listed once it is taken, and leaves nothing else', async () => {
    const { flaws, done, calls } = await backUpWith([]);
    expect(flaws).toEqual([]);
    expect(done).toBe(true);
    // The list of what is made to fail below: should it become short, the tests below have lost their point.
    expect(calls).toEqual(
      expect.arrayContaining([
        'journals.write backup',
        'postgres.open',
        'dump, midway',
        'dump, its end',
        'snapshot.countRows',
        'journals.clear',
      ]),
    );
    expect(calls.length).toBeGreaterThan(20);
  });

  it.each([
    ['fails before it does anything', { effect: 'none', scope: 'once' }],
    ['fails after it has done all', { effect: 'whole', scope: 'once' }],
    ['fails, and the connection to Postgres with it', { effect: 'none', scope: 'server' }],
    ['is where the process is killed, before it did anything', { effect: 'none', scope: 'process' }],
    ['is where the process is killed, after it has done all', { effect: 'whole', scope: 'process' }],
  ] as const)('lists nothing that is not whole and leaves nothing for ever when any one call %s', async (_, how) => {
    const { calls } = await backUpWith([]);
    const all: string[] = [];
    let failed = 0;
    for (const [index, call] of calls.entries()) {
      const { flaws, struck, done } = await backUpWith([{ index, ...how }]);
      expect(struck, `call ${index} (${call}) was reached`).toBe(1);
      if (!done) failed += 1;
      all.push(...flaws.map((flaw) => `call ${index}, ${call}: ${flaw}`));
    }
    expect(all).toEqual([]);
    expect(failed).toBeGreaterThan(20);
  });

  it('lists nothing that is not whole when its taking back fails, too', async () => {
    const { calls } = await backUpWith([]);
    let both = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(calls.length - 1),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.constantFrom(...effects), { minLength: 2, maxLength: 2 }),
        fc.boolean(),
        async (index, later, [first, second], killed) => {
          const { flaws, struck } = await backUpWith([
            { index, effect: first ?? 'none', scope: 'once' },
            { index: index + later, effect: second ?? 'none', scope: killed ? 'process' : 'once' },
          ]);
          if (struck === 2) both += 1;
          expect(flaws).toEqual([]);
        },
      ),
      { numRuns: 600 },
    );
    expect(both).toBeGreaterThan(100);
  });

  it('that is interrupted leaves nothing, at whichever call', async () => {
    const { calls } = await backUpWith([]);
    for (const index of calls.keys()) {
      const world = await worldWithBackup();
      let seen = 0;
      const process = world.boot(
        new Faults(undefined, () => void ((seen += 1) > index && process.stop.abort(new PgbackupError('interrupted', 'Interrupted')))),
      );
      const done = await createBackup(process.ports, request).catch((error: unknown) => error);
      expect(await flawsOf(world, true), `call ${index}, ${calls[index]}`).toEqual([]);
      expect(world.disk.journals.size).toBe(0);
      if (done instanceof Error) expect(done).toMatchObject({ code: 'interrupted' });
    }
  });

  it('a storage that holds something else than was written to it fails the backup, and nothing is listed', async () => {
    const world = new World();
    const { ports } = world.boot();
    const inner = ports.storages.open(localStorage, undefined);
    const put: typeof inner.put = (key, body, options) => {
      async function* flipped(): AsyncGenerator<Uint8Array> {
        for await (const chunk of body) yield chunk.map((byte, at) => (at === 7 && key.endsWith('archive.dump') ? byte ^ 1 : byte));
      }
      return inner.put(key, flipped(), options);
    };
    const storage = new Proxy(inner, {
      get: (target, key) => (key === 'put' ? put : (Reflect.get(target, key).bind?.(target) ?? Reflect.get(target, key))),
    });
    const taken = createBackup({ ...ports, storages: { ...ports.storages, open: () => storage } }, request);
    await expect(taken).rejects.toMatchObject({ code: 'verification', message: expect.stringContaining('is not what was written') });
    expect(await keysIn(world.storage, '')).toEqual([]);
  });

  it('a schema that is not there fails the backup before anything is dumped', async () => {
    const world = new World();
    const taken = createBackup(world.boot().ports, { ...request, schemas: ['public', 'publik'] });
    await expect(taken).rejects.toMatchObject({ code: 'not-found', hint: 'It has: Odd schema, public' });
    expect(await keysIn(world.storage, '')).toEqual([]);
  });

  it('holds what it was asked for, and records it', async () => {
    const world = new World();
    const { manifest } = await createBackup(world.boot().ports, { ...request, schemas: ['Odd schema'] });
    expect(manifest).toMatchObject({
      labels: { level: '1200' },
      note: 'a note',
      schemas: ['Odd schema'],
      host: 'host-a',
      rows: [{ schema: 'Odd schema', table: 'táble', rows: 3 }],
      apps: [{ name: 'web', shaSource: 'git:report' }, { name: 'worker' }],
    });
  });

  it('says which other databases of the service it does not hold (pitfall 12)', async () => {
    const world = new World();
    const other = world.databases.get('shop');
    if (other) world.databases.set('reports', other).set('pgbackup_previous_x', other);
    const { ports, transcript } = world.boot();
    await createBackup(ports, request);
    expect(transcript.warnings).toEqual(['The service also holds reports: a backup holds database shop alone']);
  });
});
