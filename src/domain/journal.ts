import * as v from 'valibot';
import { PgbackupError } from './errors.ts';
import { ownDatabasePrefix } from './previous.ts';

/** What a journal may have dropped or renamed away is never any database but one of ours. */
const ownDatabase = v.pipe(v.string(), v.startsWith(ownDatabasePrefix));

const appState = v.object({
  name: v.string(),
  /** Maintenance as it was before; null: not touched, or no maintenance plugin. */
  maintenance: v.nullable(v.picklist(['on', 'off'])),
  /** True when we stopped the app's processes. */
  stopped: v.boolean(),
});

const backupJournal = v.object({
  kind: v.literal('backup'),
  operation: v.string(),
  backupDir: v.nullable(v.string()),
  /** Names of the storages that it goes to; an older version knew but one. */
  storages: v.optional(v.array(v.string()), ['local']),
  prefix: v.string(),
});

/** `replace` builds a scratch database first; `undo` swaps two databases that exist already. */
const swapJournal = v.object({
  kind: v.picklist(['restore', 'undo']),
  operation: v.string(),
  live: v.string(),
  /** What becomes live. */
  scratch: ownDatabase,
  /** What live becomes. */
  previous: ownDatabase,
  /** False when there was no live database to begin with. */
  liveExisted: v.boolean(),
  /** Seconds that the previous database is to be kept. */
  keep: v.number(),
  /** What was restored, for people: a backup id or a file. */
  source: v.string(),
  step: v.picklist(['maintenance', 'scratch', 'swap', 'finish']),
  /** An earlier previous database, to be dropped after the swap. */
  older: v.nullable(ownDatabase),
  apps: v.array(appState),
});

const schema = v.variant('kind', [backupJournal, swapJournal]);

/** What an operation has begun and a later command may have to finish or take back. */
export type Journal = v.InferOutput<typeof schema>;
export type BackupJournal = v.InferOutput<typeof backupJournal>;
export type SwapJournal = v.InferOutput<typeof swapJournal>;
export type AppState = v.InferOutput<typeof appState>;

/** @throws PgbackupError damaged. */
export function parseJournal(text: string, where: string): Journal {
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (cause) {
    throw new PgbackupError('damaged', `An operation was cut off, and its journal cannot be read: ${where}`, {
      cause,
      hint: [
        'Nothing more is done on this service until you have looked at it:',
        '- apps that are in maintenance: dokku maintenance:report',
        `- databases called ${ownDatabasePrefix}scratch_… may be dropped, ${ownDatabasePrefix}previous_… is what was live before`,
        'Then remove the file',
      ].join('\n'),
    });
  }
}
