import * as v from 'valibot';
import { PgbackupError } from './errors.ts';

/** Prefix of every database name that this program makes up; such databases are nobody's data by themselves. */
export const ownDatabasePrefix = 'pgbackup_';

const schema = v.object({
  /** The name that both databases take turns to have. */
  live: v.string(),
  /** The name of the database set aside. Dropped one day, and so never any but one of ours. */
  database: v.pipe(v.string(), v.startsWith(ownDatabasePrefix)),
  since: v.pipe(v.string(), v.isoTimestamp()),
  until: v.pipe(v.string(), v.isoTimestamp()),
  /** What had been restored when it was set aside. */
  source: v.string(),
});

/** The old live database, kept after a swap for `undo`. */
export type PreviousDatabase = v.InferOutput<typeof schema>;

/** @throws PgbackupError damaged. */
export function parsePrevious(text: string, where: string): PreviousDatabase {
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (cause) {
    throw new PgbackupError('damaged', `The record of the previous database cannot be read: ${where}`, {
      cause,
      hint: `Look for a database called ${ownDatabasePrefix}previous_… on the service: it is kept for undo. Then remove the file`,
    });
  }
}

/** Names of the scratch and the previous database of an operation; shorter than Postgres's 63 bytes whatever the service is called. */
export function operationDatabases(operationTime: string, suffix: string): { readonly scratch: string; readonly previous: string } {
  const stem = `${operationTime}_${suffix}`.toLowerCase();
  return { scratch: `${ownDatabasePrefix}scratch_${stem}`, previous: `${ownDatabasePrefix}previous_${stem}` };
}
