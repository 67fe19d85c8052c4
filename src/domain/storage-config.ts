import * as v from 'valibot';
import { PgbackupError } from './errors.ts';
import { isAbsolutePlace } from './place.ts';
import { s3ConfigSchema } from './s3-config.ts';

const localConfig = v.object({
  kind: v.literal('local'),
  path: v.pipe(v.string(), v.check(isAbsolutePlace, 'the path of a directory is absolute, without "..", colon or comma')),
});

const schema = v.variant('kind', [localConfig, s3ConfigSchema]);

/** How a storage is set up. Its keys are kept apart. */
export type StorageConfig = v.InferOutput<typeof schema>;

/** @throws PgbackupError storage, naming the file. */
export function parseStorageConfig(text: string, where: string): StorageConfig {
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (cause) {
    throw new PgbackupError('storage', `How a storage is set up cannot be read: ${where}`, {
      cause,
      hint: 'Set it up anew: dokku pgbackup:storage-create <name> … --replace',
    });
  }
}
