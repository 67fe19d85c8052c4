import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileLocks } from '../../../src/adapters/locks.ts';
import { FolderSpools } from '../../../src/adapters/spool.ts';
import { parseServiceName } from '../../../src/domain/names.ts';
import type { Clock, Wait } from '../../../src/ports.ts';
import { shop } from '../../twins/world.ts';

const clock: Clock = { now: () => new Date('2026-11-20T03:15:00.000Z'), suffix: () => 'k3f9' };
let root: string;
const children: ChildProcess[] = [];

beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'pgbackup-locks-'))));
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  rmSync(root, { recursive: true });
});

/** A process of its own that takes what the code says and then sits there. */
async function holder(code: string): Promise<ChildProcess> {
  const from = (file: string): string => JSON.stringify(new URL(`../../../src/adapters/${file}`, import.meta.url).href);
  const script = `
    import { FileLocks } from ${from('locks.ts')};
    import { FolderSpools } from ${from('spool.ts')};
    const clock = { now: () => new Date('2026-11-20T02:00:00.000Z'), suffix: () => 'k3f9' };
    const root = process.argv[1];
    ${code}
    process.send('holding');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, root], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  children.push(child);
  const [said] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  if (said !== 'holding') throw new Error(`the holder ended by itself: ${String(said)}`);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const takeLock = "await new FileLocks(root, clock).acquire('shop', 'backup');";

describe('the lock of a service (pitfall 8)', () => {
  const locks = (): FileLocks => new FileLocks(root, clock);

  it('keeps others out, and says who holds it, why and since when', async () => {
    const child = await holder(takeLock);
    await expect(locks().acquire(shop, 'restore')).rejects.toMatchObject({
      code: 'locked',
      message: `Service shop is busy: backup since 2026-11-20 02:00:00 UTC (process ${child.pid})`,
      hint: 'Wait for it to end, then try again',
    });
  });

  it('dies with kill -9 of its holder', async () => {
    await kill(await holder(takeLock));
    await using _lock = await locks().acquire(shop, 'restore');
    expect(readFileSync(join(root, 'services/shop/lock'), 'utf8')).toBe(
      `{"pid":${process.pid},"purpose":"restore","since":"2026-11-20T03:15:00.000Z"}`,
    );
  });

  it('keeps out the process that holds it, too, until it is given back', async () => {
    {
      await using _lock = await locks().acquire(shop, 'backup');
      await expect(locks().acquire(shop, 'undo')).rejects.toMatchObject({ code: 'locked' });
    }
    await using _again = await locks().acquire(shop, 'undo');
    expect(existsSync(join(root, 'services/shop/lock'))).toBe(true);
  });

  it('is waited for, in turn, by whoever asks for that', async () => {
    const first = await locks().acquire(shop, 'restore');
    const told: string[] = [];
    const order: number[] = [];
    const wait = (milliseconds: number): Wait => ({
      until: new Date(clock.now().getTime() + milliseconds),
      signal: new AbortController().signal,
      waiting: (reason) => void told.push(reason),
    });
    await expect(locks().acquire(shop, 'backup', wait(200))).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining('busy: restore since'),
    });
    const waiting = [1, 2].map(async (number) => {
      await new Promise((resolve) => setTimeout(resolve, number * 150));
      await using _lock = await locks().acquire(shop, 'backup', wait(20_000));
      order.push(number);
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(order).toEqual([]);
    await first[Symbol.asyncDispose]();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2]);
    expect(told).toEqual(Array(3).fill(`Service shop is busy: restore since 2026-11-20 03:15:00 UTC (process ${process.pid})`));
  });

  it('is not waited for after Ctrl-C', async () => {
    await using _lock = await locks().acquire(shop, 'restore');
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('stopped')), 200);
    const wait = { until: new Date(clock.now().getTime() + 60_000), signal: stop.signal, waiting: () => {} };
    await expect(locks().acquire(shop, 'backup', wait)).rejects.toThrow('stopped');
  });

  it('of a service is no lock of another', async () => {
    await using _one = await locks().acquire(shop, 'backup');
    await using _other = await locks().acquire(parseServiceName('shop2'), 'backup');
    expect(existsSync(join(root, 'services/shop2/lock'))).toBe(true);
  });

  it('goes to one of many that ask at once', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => locks().acquire(shop, 'backup')));
    const got = asked.filter((result) => result.status === 'fulfilled');
    expect(got).toHaveLength(1);
    await got[0]?.value[Symbol.asyncDispose]();
  });

  it('is not inherited by the programs that its holder starts', async () => {
    const lock = await locks().acquire(shop, 'backup');
    const child = spawn('sleep', ['60'], { stdio: 'ignore', detached: true });
    children.push(child);
    await lock[Symbol.asyncDispose]();
    await using _again = await locks().acquire(shop, 'backup');
    expect(child.exitCode).toBeNull();
  });

  it('whose file says nothing sensible still keeps others out', async () => {
    await holder(takeLock);
    writeFileSync(join(root, 'services/shop/lock'), '{"pid":');
    await expect(locks().acquire(shop, 'restore')).rejects.toMatchObject({
      code: 'locked',
      message: 'Service shop is busy: another command has just begun',
    });
  });

  it('lies where only this user may look', async () => {
    await using _lock = await locks().acquire(shop, 'backup');
    expect([statSync(join(root, 'services/shop')).mode & 0o777, statSync(join(root, 'services/shop/lock')).mode & 0o777]).toEqual([
      0o700, 0o600,
    ]);
  });

  it('that cannot be made is an error of the disk', async () => {
    writeFileSync(join(root, 'services'), 'a file in the way');
    await expect(locks().acquire(shop, 'backup')).rejects.toMatchObject({ code: 'storage' });
  });
});

describe('the mark of who reads a backup', () => {
  const locks = (): FileLocks => new FileLocks(root, clock);
  const takeMark = "await new FileLocks(root, clock).reading('shop', 'shop-1', 'a restore');";
  const marks = join('services', 'shop', 'reading');

  it('keeps it from being removed, and says who reads it and since when', async () => {
    const child = await holder(takeMark);
    const since = `a restore since 2026-11-20 02:00:00 UTC (process ${child.pid})`;
    expect(await locks().readers(shop)).toEqual(new Map([['shop-1', since]]));
    await expect(locks().removing(shop, 'shop-1')).rejects.toMatchObject({
      code: 'locked',
      message: `Backup shop-1 is being read by ${since}`,
    });
    await using _other = await locks().removing(shop, 'shop-2');
    expect(await locks().readers(parseServiceName('shop2'))).toEqual(new Map());
  });

  it('dies with kill -9 of the reader, and nothing is left of it', async () => {
    await kill(await holder(takeMark));
    expect(await locks().readers(shop)).toEqual(new Map());
    await using _alone = await locks().removing(shop, 'shop-1');
  });

  it('is shared by many, and goes with the last of them', async () => {
    const [first, second] = [await locks().reading(shop, 'shop-1', 'a verify'), await locks().reading(shop, 'shop-1', 'a download')];
    await first[Symbol.asyncDispose]();
    expect([...(await locks().readers(shop)).keys()]).toEqual(['shop-1']);
    await second[Symbol.asyncDispose]();
    expect(existsSync(join(root, marks, 'shop-1.lock'))).toBe(false);
    await using _alone = await locks().removing(shop, 'shop-1');
  });

  it('is waited for while the backup is being removed, and then is got', async () => {
    const alone = await locks().removing(shop, 'shop-1');
    const asked = locks().reading(shop, 'shop-1', 'a restore');
    setTimeout(() => void alone[Symbol.asyncDispose](), 300);
    await using _mark = await asked;
    expect([...(await locks().readers(shop)).keys()]).toEqual(['shop-1']);
  });

  it('is never lost between many who read, remove and look', async () => {
    let reading = 0;
    const read = async (): Promise<void> => {
      await using _mark = await locks().reading(shop, 'shop-1', 'a verify');
      reading += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      reading -= 1;
    };
    const remove = async (): Promise<void> => {
      try {
        await using _alone = await locks().removing(shop, 'shop-1');
        expect(reading).toBe(0);
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(reading).toBe(0);
      } catch (error) {
        expect(error).toMatchObject({ code: 'locked' });
      }
    };
    const look = async (): Promise<void> => void (await locks().readers(shop));
    await Promise.all(Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? read() : i % 3 === 1 ? remove() : look())));
    expect(await locks().readers(shop)).toEqual(new Map());
  });

  it('of an id that climbs out is a file in its folder all the same', async () => {
    await using _mark = await locks().reading(shop, '..', 'a verify');
    expect(existsSync(join(root, marks, '...lock'))).toBe(true);
  });
});

describe('the spool of an operation', () => {
  const open = (operation: string): string => `await new FolderSpools(root).open('${operation}');`;

  it('is a folder for this user alone, gone with all in it once it is closed', async () => {
    let path: string;
    {
      await using spool = await new FolderSpools(root).open('shop-1');
      path = spool.path;
      expect(spool).toMatchObject({ path: join(root, 'shop-1'), operation: 'shop-1' });
      expect(statSync(path).mode & 0o777).toBe(0o700);
      mkdirSync(join(path, 'deep'));
      writeFileSync(join(path, 'deep/file'), 'x');
    }
    expect(existsSync(path)).toBe(false);
  });

  it('of a process killed with -9 is reclaimed by the next, after what else it may have left', async () => {
    await kill(await holder(open('dead-1')));
    writeFileSync(join(root, 'dead-1/stdin'), 'gigabytes');
    const seen: [string, boolean][] = [];
    await new FolderSpools(root).reclaim(async (operation) => void seen.push([operation, existsSync(join(root, operation))]));
    expect(seen).toEqual([['dead-1', true]]);
    expect(existsSync(join(root, 'dead-1'))).toBe(false);
  });

  it('of a living process is left alone, be it another or this one', async () => {
    await holder(open('alive-1'));
    await using _ours = await new FolderSpools(root).open('ours-1');
    await new FolderSpools(root).reclaim(async (operation) => {
      throw new Error(`${operation} is in use`);
    });
    expect([existsSync(join(root, 'alive-1')), existsSync(join(root, 'ours-1'))]).toEqual([true, true]);
  });

  it('stays to be reclaimed another time where what else was left cannot be removed', async () => {
    await kill(await holder(open('dead-1')));
    await expect(
      new FolderSpools(root).reclaim(async () => {
        throw new Error('docker does not answer');
      }),
    ).rejects.toThrow('docker does not answer');
    expect(existsSync(join(root, 'dead-1'))).toBe(true);
  });

  it('is reclaimed from nowhere where there never was one', async () => {
    await new FolderSpools(join(root, 'never')).reclaim(async () => {
      throw new Error('there is nothing');
    });
    expect(existsSync(join(root, 'never'))).toBe(false);
  });
});
