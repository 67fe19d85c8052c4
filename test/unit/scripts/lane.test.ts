import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { besides, write } from '../../../scripts/suites/lane.ts';
import { runSuites, say, type Suite } from '../../../scripts/suites/suite.ts';

let said: string;

beforeEach(() => {
  said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    said += String(chunk);
    return true;
  });
});

afterEach(() => vi.restoreAllMocks());

function suite(name: string, words: readonly string[], failed = 0): Suite {
  return {
    name,
    run: async () => {
      for (const word of words) {
        say(word);
        await sleep(2);
      }
      return { passed: 1, failed };
    },
  };
}

describe('suites side by side', () => {
  it('are heard one after the other, and both count', async () => {
    const total = await runSuites([
      { lanes: [[suite('a', ['a1', 'a2', 'a3'])], [suite('b', ['b1']), suite('c', ['c1'], 2)]] },
      suite('d', ['d1']),
    ]);
    expect(total).toEqual({ passed: 4, failed: 2 });
    expect(said.split('\n').filter((line) => /^(?:==>|[a-d]\d)/.test(line))).toEqual([
      '==> a',
      'a1',
      'a2',
      'a3',
      '==> b',
      'b1',
      '==> c',
      'c1',
      '==> d',
      'd1',
    ]);
    expect(said).toMatch(/ok {6}a .*\n.*ok {6}b .*\n.*FAILED {2}c .*1 passed, 2 failed\n.*ok {6}d /);
  });

  it('are both waited for, also when one throws', async () => {
    let done = false;
    const second = async (): Promise<number> => {
      await sleep(5);
      write('late');
      done = true;
      return 2;
    };
    await expect(besides(() => Promise.reject(new Error('broken')), second)).rejects.toThrow('broken');
    expect(done).toBe(true);
    expect(said).toBe('late');
  });
});
