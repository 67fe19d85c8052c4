import * as v from 'valibot';
import { PgbackupError } from './errors.ts';

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const utc = v.pipe(v.string(), v.isoTimestamp());
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** A setting of the database itself (role null) or of one role in it: `ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET`. */
const databaseSetting = v.object({ role: v.nullable(text), name: text, value: text });

/** One privilege on the database; grantee null stands for PUBLIC. */
const databaseGrant = v.object({
  grantee: v.nullable(text),
  // It stands in a statement as it is, and whoever writes to a shared storage writes manifests.
  privilege: v.picklist(['CREATE', 'CONNECT', 'TEMPORARY']),
  grantable: v.boolean(),
});

/** All that belongs to a database but is in no dump of it, and so would be lost by a swap. */
export const databaseProperties = v.object({
  name: text,
  owner: text,
  encoding: text,
  collate: text,
  ctype: text,
  /** c = libc, i = ICU, b = builtin: pg_database.datlocprovider; older servers know libc alone. */
  localeProvider: v.picklist(['c', 'i', 'b']),
  locale: v.nullable(text),
  icuRules: v.nullable(text),
  tablespace: text,
  connectionLimit: v.pipe(v.number(), v.integer()),
  comment: v.nullable(text),
  settings: v.array(databaseSetting),
  /** null: the default privileges, never changed. */
  grants: v.nullable(v.array(databaseGrant)),
});

/** A table and the exact number of its rows. */
export interface TableRows {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
}

// Checked by hand: a list of backups reads a hundred thousand of these, and a schema for each would copy them all.
function areTableRows(value: unknown): boolean {
  return Array.isArray(value) && value.every(isTableRows);
}

function isTableRows(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { schema, table, rows } = value as Partial<Record<string, unknown>>;
  return typeof schema === 'string' && typeof table === 'string' && typeof rows === 'number' && Number.isSafeInteger(rows) && rows >= 0;
}

const tableRows = v.custom<TableRows[]>(areTableRows, 'each table needs a schema, a name and a whole number of rows');

function isTextByText(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((inner) => typeof inner === 'string')
  );
}

// Not v.record: it quietly leaves out keys like `constructor`, which a label may have.
const labels = v.custom<Readonly<Record<string, string>>>(isTextByText, 'labels are texts by name');

/** The code that an app ran when the backup was taken. */
const appRevision = v.object({
  name: text,
  sha: v.nullable(text),
  /** Where the sha was learnt; `git:report` may only know the word HEAD. */
  shaSource: v.nullable(v.picklist(['git:report', 'config', 'apps:report'])),
  deployBranch: v.nullable(text),
  lastUpdatedAt: v.nullable(utc),
});

/** What became of one of the storages that a backup was sent to. */
const copyState = v.object({ name: text, stored: v.boolean(), message: v.nullable(text) });

/** To whom an archive is encrypted. A passphrase names nobody. */
const encryption = v.object({ scheme: v.literal('age'), recipients: v.array(text), passphrase: v.boolean() });

/**
 * The commit record of a backup, written last and read back by `parseManifest`. Unknown fields are
 * kept out of the type but never refused, so that a newer manifest of the same version stays readable.
 */
export const manifestSchema = v.object({
  manifestVersion: v.literal(1),
  id: text,
  host: text,
  tool: v.object({ name: text, version: text }),
  service: v.object({ name: text, image: text }),
  server: v.object({ version: text, major: count }),
  database: databaseProperties,
  databaseBytes: count,
  extensions: v.array(v.object({ name: text, version: text, schema: text })),
  roles: v.array(text),
  apps: v.array(appRevision),
  labels,
  note: v.nullable(text),
  /** The schemas dumped; empty: all of them. */
  schemas: v.array(text),
  /** False where the database had no schema `public`: an archive does not tell, and a new database has one. */
  publicSchema: v.optional(v.boolean()),
  startedAt: v.pipe(utc, v.endsWith('Z')),
  finishedAt: utc,
  archive: v.object({
    // Beside the manifest and nowhere else: whoever writes to a shared storage must not name a file of this host.
    file: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)),
    format: v.literal('custom'),
    /** How pg_dump's own data blocks are compressed. */
    compression: text,
    /** Compression around the whole archive, where the server's pg_dump has no zstd of its own. */
    wrapping: v.nullable(v.literal('zstd')),
    plainBytes: count,
    plainSha256: sha256,
    storedBytes: count,
    storedSha256: sha256,
    encryption: v.nullable(encryption),
  }),
  /** Exact counts from the snapshot that was dumped. */
  rows: tableRows,
  largeObjects: count,
  /** When the stored bytes were shown to be those that left pg_dump, and to decode to their end. */
  provenAt: utc,
  /** The storages that it was sent to when it was taken, and what became of each; undefined: there was one. */
  storages: v.optional(v.array(copyState)),
  /** The schedule that asked for it. */
  schedule: v.optional(v.nullable(text)),
});

export type Manifest = v.InferOutput<typeof manifestSchema>;
export type DatabaseProperties = v.InferOutput<typeof databaseProperties>;
export type CopyState = v.InferOutput<typeof copyState>;
export type AppRevision = v.InferOutput<typeof appRevision>;

/**
 * A manifest from the bytes of its file. `where` names the file in messages.
 * @throws PgbackupError damaged, when it is no JSON, of another version, or a field is wrong.
 */
export function parseManifest(bytes: string, where: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(bytes);
  } catch (cause) {
    throw new PgbackupError('damaged', `The manifest ${where} is not JSON`, { cause });
  }
  const parsed = v.safeParse(manifestSchema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  throw new PgbackupError('damaged', `The manifest ${where} is not valid: ${v.getDotPath(issue) ?? 'file'}: ${issue.message}`);
}

/** A manifest as the bytes of its file. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, undefined, 1)}\n`;
}

/** Sum of the rows of all tables. */
export function totalRows(rows: readonly TableRows[]): number {
  return rows.reduce((sum, table) => sum + table.rows, 0);
}
