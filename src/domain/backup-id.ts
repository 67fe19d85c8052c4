import { PgbackupError } from './errors.ts';
import type { ServiceName } from './names.ts';

/** Id of a backup: `<service>-<UTC time>-<4 random characters>`, for example `orders-20261120T031500Z-k3f9`. */
export type BackupId = string & { readonly brand: 'BackupId' };

const idPattern = /^[A-Za-z0-9_][A-Za-z0-9_-]*-\d{8}T\d{6}Z-[a-z0-9]{4}$/;

/** A time as ids hold it: `20261120T031500Z`, UTC, whole seconds. */
export function compactTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** An id that sorts by time within its service, and is safe as a file name, an S3 key and a shell word. */
export function makeBackupId(service: ServiceName, time: Date, suffix: string): BackupId {
  return parseBackupId(`${service}-${compactTime(time)}-${suffix}`);
}

/** True for text in the form of a backup id. */
export function isBackupId(text: string): text is BackupId {
  return idPattern.test(text);
}

/** @throws PgbackupError usage, when the text is not in the form of a backup id. */
export function parseBackupId(text: string): BackupId {
  if (isBackupId(text)) return text;
  throw new PgbackupError('usage', `"${text}" is not a backup id`, {
    hint: 'An id looks like orders-20261120T031500Z-k3f9. List them: dokku pgbackup:list',
  });
}
