import { PgbackupError } from './errors.ts';

/**
 * Checks the address of an endpoint. Its path may hold a token, and so no message repeats it.
 * @throws PgbackupError usage.
 */
export function checkUrl(key: string): (value: string) => void {
  return (value) => {
    const url = URL.parse(value);
    // Of the text, too: the parser passes over tabs, line ends and spaces around it.
    if (!url || /[\s\p{Cc}]/u.test(value) || value.length > 2000)
      throw new PgbackupError('usage', `${key} is not an address`, { hint: 'One looks like https://hc-ping.com/<your token>' });
    if (url.protocol !== 'https:' && url.protocol !== 'http:')
      throw new PgbackupError('usage', `${key} begins with ${url.protocol}, which is not http or https`);
    if (url.username !== '' || url.password !== '')
      throw new PgbackupError('usage', `${key} holds a user or a password before its @`, {
        hint: 'Use an address with a token in its path, as monitoring services give out',
      });
  };
}

/** An address without what may be a token: `https://hc-ping.com/…`. */
export function maskUrl(value: string): string {
  const url = URL.parse(value);
  if (!url) return '…';
  const more = url.pathname !== '/' || url.search !== '' || url.hash !== '';
  return `${url.protocol}//${url.host}/${more ? '…' : ''}`;
}

/** What may be a token in an address: the parts of its path and the values of its query that are too long for words. */
export function tokensIn(value: string): string[] {
  const url = URL.parse(value);
  return url ? [...url.pathname.split('/'), ...url.searchParams.values()].filter((part) => part.length >= 8) : [];
}
