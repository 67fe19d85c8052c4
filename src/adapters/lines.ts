import type { Readable } from 'node:stream';

/**
 * Calls back for every line that ends in a newline, as UTF-8. node:readline will not do: it also breaks
 * lines at U+2028, which JSON text and Postgres names may hold.
 */
export function onLine(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(take);
  });
}
