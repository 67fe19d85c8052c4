import { resolve } from 'node:path';
import { isBackupId } from '../domain/backup-id.ts';
import { PgbackupError } from '../domain/errors.ts';
import type { KeyFiles } from '../app/keys.ts';
import type { RequestedSource } from '../app/choose-source.ts';
import type { Arguments } from './spec.ts';

/** `k=v` of `--label`, each key once. @throws PgbackupError usage. */
export function parseLabels(values: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const text of values) {
    const match = /^([a-z][a-z0-9_.-]{0,62})=([\p{L}\p{N} _.:/@+-]{0,200})$/u.exec(text);
    const [, key, value] = match ?? [];
    if (key === undefined || value === undefined) {
      throw new PgbackupError('usage', `--label "${text}" is not of the form key=value`, {
        hint: 'A key is a small letter and then small letters, digits, _ . or -; a value is at most 200 letters, digits, spaces and _ . : / @ + -: --label level=1200',
      });
    }
    if (Object.hasOwn(labels, key)) throw new PgbackupError('usage', `--label ${key} is given twice`);
    labels[key] = value;
  }
  return labels;
}

/** A whole number of an option. @throws PgbackupError usage. */
export function parseNumber(text: string | undefined, option: string, low: number, high: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text) && Number(text) >= low && Number(text) <= high) return Number(text);
  throw new PgbackupError('usage', `${option} takes a whole number from ${low} to ${high}, not "${text}"`);
}

/** The queries of `--check`. @throws PgbackupError usage. */
export function parseChecks(queries: readonly string[]): readonly string[] {
  for (const sql of queries) {
    if (sql.trim() === '') throw new PgbackupError('usage', 'A --check is empty');
    // psql would take it for one of its own commands.
    if (sql.trimStart().startsWith('\\')) throw new PgbackupError('usage', `--check "${sql}" is a command of psql, not a query`);
  }
  return queries;
}

/** A SHA-256 in hex. @throws PgbackupError usage. */
export function parseSha256(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  throw new PgbackupError('usage', '--sha256 takes 64 hexadecimal digits', { hint: 'sha256sum <file> prints them' });
}

/** A note: one line of text. @throws PgbackupError usage. */
export function parseNote(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text.length <= 500 && !/\p{Cc}/u.test(text)) return text;
  throw new PgbackupError('usage', '--note takes one line of at most 500 characters');
}

/** The files of `keyOptions`. @param taken standard input is something else. @throws PgbackupError usage. */
export function parseKeyFiles(args: Arguments, taken = false): KeyFiles {
  const file = (option: string, word: string): string => {
    // Whoever gives the key itself has it in the history of the shell, and in `ps` while this runs.
    if (/^AGE-SECRET-KEY-/i.test(word)) throw new PgbackupError('usage', `${option} takes the file that holds the key, not the key itself`);
    if (word === '') throw new PgbackupError('usage', `The file of ${option} is empty`);
    return word === '-' ? word : resolve(word);
  };
  const passphrase = args.text('passphraseFile');
  const files: KeyFiles = {
    identities: args.list('identity').map((word) => file('--identity', word)),
    passphrase: passphrase === undefined ? undefined : file('--passphrase-file', passphrase),
  };
  const readers = [...files.identities, files.passphrase].filter((word) => word === '-').length + (taken ? 1 : 0);
  if (readers > 1) throw new PgbackupError('usage', 'Standard input can be only one of the source, the identity and the passphrase');
  return files;
}

/** What to restore, from the words of the command line. @throws PgbackupError usage. */
export function parseSource(word: string | undefined, latest: boolean, sha256: string | undefined, target: string): RequestedSource {
  if (latest && word !== undefined) throw new PgbackupError('usage', `Give either --latest or a source, not both ("${word}")`);
  if (latest || word === undefined) {
    if (!latest)
      throw new PgbackupError('usage', 'Say what to restore: a backup id, a file, - for standard input, or --latest', {
        hint: `List the backups: dokku pgbackup:list ${target}`,
      });
    if (sha256 !== undefined) throw new PgbackupError('usage', '--sha256 is for files: a backup has its checksum in its manifest');
    return { kind: 'latest' };
  }
  if (word === '-') return { kind: 'stdin' };
  if (/^s3:/i.test(word)) {
    if (/^s3:\/\/[^/]+\/./.test(word)) return { kind: 'address', address: word };
    throw new PgbackupError('usage', `"${word}" is no address of an object`, { hint: 'It looks like s3://bucket/path/file.tgz' });
  }
  if (isBackupId(word)) return { kind: 'id', id: word };
  if (word === '') throw new PgbackupError('usage', 'The name of the file is empty');
  if (word === 'latest')
    throw new PgbackupError('usage', 'There is no source "latest"', { hint: 'Did you mean --latest? A file of that name: ./latest' });
  return { kind: 'path', path: resolve(word) };
}
