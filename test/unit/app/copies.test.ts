import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../../src/adapters/storage/memory.ts';
import { Copies } from '../../../src/app/copies.ts';
import { parseStorageName } from '../../../src/domain/storage-name.ts';
import type { PutResult } from '../../../src/ports.ts';
import { collectGarbage } from '../../tools/memory.ts';
import { World } from '../../twins/world.ts';

/** Takes everything, and keeps none of it. */
class Drain extends MemoryStorage {
  override async put(_key: string, body: AsyncIterable<Uint8Array>): Promise<PutResult> {
    let bytes = 0;
    for await (const chunk of body) bytes += chunk.length;
    return { bytes, confirmed: true };
  }
}

describe('the copies of a backup', () => {
  it('hold on to no chunk that every storage has taken: memory does not grow with the archive', async () => {
    const world = new World();
    const [one, two] = [parseStorageName('one'), parseStorageName('two')];
    world.others.set(one, new Drain('one')).set(two, new Drain('two'));
    const given: WeakRef<Uint8Array>[] = [];
    let most = 0;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 200; i += 1) {
        const chunk = new Uint8Array(1000);
        given.push(new WeakRef(chunk));
        yield chunk;
        if (i % 50 !== 49) continue;
        await collectGarbage();
        most = Math.max(most, given.filter((ref) => ref.deref() !== undefined).length);
      }
    }
    await new Copies(world.boot().ports, [one, two], undefined, 'host/shop/id/').store('archive.dump', chunks(), 200_000);
    expect(given).toHaveLength(200);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(8);
  });
});
