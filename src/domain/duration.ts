import { PgbackupError } from './errors.ts';

const units = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;

function isUnit(text: string | undefined): text is keyof typeof units {
  return text !== undefined && Object.hasOwn(units, text);
}

/**
 * Seconds of a duration like `30s`, `15m`, `24h`, `7d`, `2w`; `0` means none.
 * @throws PgbackupError usage.
 */
export function parseDuration(text: string, what: string): number {
  if (text === '0') return 0;
  const match = /^(\d{1,6})([smhdw])$/.exec(text);
  const unit = match?.[2];
  if (!match || !isUnit(unit)) {
    throw new PgbackupError('usage', `${what} "${text}" is not a duration`, {
      hint: 'Write a number and s, m, h, d or w: 30s, 15m, 24h, 7d',
    });
  }
  return Number(match[1]) * units[unit];
}
