import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../src/domain/duration.ts';

describe('a duration', () => {
  it.each([
    ['0', 0],
    ['30s', 30],
    ['15m', 900],
    ['24h', 86_400],
    ['7d', 604_800],
    ['2w', 1_209_600],
    ['007d', 604_800],
    ['0h', 0],
  ])('%s is %d seconds', (text, seconds) => expect(parseDuration(text, 'x')).toBe(seconds));

  it.each(['', ' 7d', '7 d', '7', '-7d', '7.5h', '7D', '7y', 'd', '7dd', '7d\n', '1234567s', 'ten', '7toString'])(
    'cannot be "%s"',
    (text) => {
      expect(() => parseDuration(text, 'keep-previous')).toThrow(`keep-previous "${text}" is not a duration`);
    },
  );
});
