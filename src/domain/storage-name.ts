import { PgbackupError } from './errors.ts';

/** Name of a configured storage, checked. */
export type StorageName = string & { readonly brand: 'StorageName' };

/** The storage that is there without being created: the directory that `backup-dir` names. */
export const localStorage = 'local' as StorageName;

// It becomes a folder and an item of a list with commas.
const pattern = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** True for what may be the name of a storage. */
export function isStorageName(text: string): text is StorageName {
  return pattern.test(text);
}

/** @throws PgbackupError usage. */
export function parseStorageName(text: string): StorageName {
  if (isStorageName(text)) return text;
  throw new PgbackupError('usage', `"${text}" cannot be the name of a storage`, {
    hint: 'A name has at most 32 small letters, digits and -, and begins with a letter or digit: offsite',
  });
}

/** The names of a list like `local,offsite`, each once, in its order. @throws PgbackupError usage. */
export function parseStorageNames(text: string): readonly StorageName[] {
  const names = text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(parseStorageName);
  if (names.length === 0) throw new PgbackupError('usage', 'The list of storages is empty', { hint: 'For example: local,offsite' });
  return [...new Set(names)];
}
