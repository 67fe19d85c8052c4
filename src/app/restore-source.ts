import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { PlannedSource } from '../domain/restore-plan.ts';
import type { InspectedSource, SqlReport } from '../domain/source.ts';
import type { Keyring, Origin, Ports, PostgresServer, RestoreInput, Storage } from '../ports.ts';
import { checkStored, distantOrigin } from './backup-origin.ts';
import { archiveKey, type CatalogEntry } from './catalog.ts';

/** What a restore was told to read. */
export type SourceChoice =
  | {
      readonly kind: 'backup';
      readonly entry: CatalogEntry;
      /** Path of its archive in the spool, where it was brought from elsewhere. */
      readonly fetched: string | undefined;
    }
  | { readonly kind: 'file'; readonly path: string; readonly label: string; readonly sha256: string | undefined };

/** A source that has been shown to be whole, as far as it can be. */
export interface CheckedSource {
  readonly planned: PlannedSource;
  readonly input: RestoreInput;
  readonly dropPublic: boolean;
}

type FileChoice = Extract<SourceChoice, { kind: 'file' }>;
type BackupChoice = Extract<SourceChoice, { kind: 'backup' }>;
type SourcePorts = Pick<Ports, 'sources' | 'reporter' | 'signal'>;

/** A source of which the beginning has been read, and of one on this host all of it, before any server is asked. */
export interface ReadSource {
  readonly choice: SourceChoice;
  readonly origin: Origin;
  /** Path of the bare archive on this host, in which pg_restore may seek. */
  readonly file: string | undefined;
  readonly inspected: InspectedSource;
  /** undefined: it lies elsewhere, and is compared with its checksum while it is restored. */
  readonly sha256: string | undefined;
}

/**
 * Finds out what the source is, opening what is encrypted with the keys, and compares it with its checksum where it has one.
 * Of a backup that lies in several storages the first whole copy is taken.
 * @throws PgbackupError damaged, refused (no permission, no key), not-found.
 */
export async function readSource(ports: SourcePorts, target: string, choice: SourceChoice, keys: Keyring): Promise<ReadSource> {
  if (choice.kind === 'file') {
    ports.reporter.step(`Checking ${choice.label}`);
    return inWordsOf(choice, target, () => readFile(ports, choice, keys));
  }
  const { entry } = choice;
  ports.reporter.step(`Checking ${entry.manifest.id}`);
  for (const [i, storage] of entry.copies.entries()) {
    try {
      return await readCopy(ports, choice, storage, keys);
    } catch (error) {
      const elsewhere = error instanceof PgbackupError && ['damaged', 'storage', 'not-found'].includes(error.code);
      if (!elsewhere || i === entry.copies.length - 1) throw error;
      ports.reporter.warn(`${messageOf(error)}. The copy in ${entry.copies[i + 1]?.name} is taken instead`);
    }
  }
  throw new PgbackupError('not-found', `Backup ${entry.manifest.id} lies nowhere`);
}

async function readFile(ports: SourcePorts, choice: FileChoice, keys: Keyring): Promise<ReadSource> {
  const origin = { path: choice.path };
  const { sha256 } = await ports.sources.hash(origin);
  if (choice.sha256 !== undefined && choice.sha256 !== sha256) {
    throw new PgbackupError('damaged', `${choice.label} has SHA-256 ${sha256}, not the one given for it`, {
      hint: 'Copy the file again, and compare with sha256sum',
    });
  }
  const inspected = await ports.sources.inspect(origin, keys);
  return { choice, origin, file: inspected.bare ? choice.path : undefined, inspected, sha256 };
}

async function readCopy(ports: SourcePorts, choice: BackupChoice, storage: Storage, keys: Keyring): Promise<ReadSource> {
  const { entry } = choice;
  const path = choice.fetched ?? storage.filePath(archiveKey(entry));
  if (path === undefined) {
    const origin = await distantOrigin(entry, storage, ports.signal);
    return { choice, origin, file: undefined, inspected: await ports.sources.inspect(origin, keys), sha256: undefined };
  }
  const { sha256, bytes } = await ports.sources.hash({ path });
  checkStored(entry.manifest, path, sha256, bytes);
  const inspected = await ports.sources.inspect({ path }, keys);
  return { choice, origin: { path }, file: inspected.bare ? path : undefined, inspected, sha256 };
}

/** Messages about a file name it as the person did: standard input is not where it is kept meanwhile. */
async function inWordsOf<T>(choice: SourceChoice, target: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (choice.kind === 'backup' || !(error instanceof PgbackupError)) throw error;
    const words = (text: string): string => text.replaceAll(choice.path, choice.label).replaceAll('<target>', target);
    throw new PgbackupError(error.code, words(error.message), {
      cause: error.cause,
      ...(error.hint !== undefined && { hint: words(error.hint) }),
    });
  }
}

/**
 * Reads the source to its end before anything is touched: an own backup was read for its checksum, or is while it is
 * restored into the scratch database; a foreign archive is decoded; plain SQL must have its closing line.
 * @throws PgbackupError damaged, refused.
 */
export async function checkSource(ports: SourcePorts, server: PostgresServer, target: string, source: ReadSource): Promise<CheckedSource> {
  const { choice, origin, file, inspected } = source;
  const input: RestoreInput = {
    format: inspected.format,
    file,
    open: () => ports.sources.open(origin, inspected, server.version.major),
  };
  return inWordsOf(choice, target, async () => {
    if (choice.kind === 'backup') {
      if (inspected.format === 'sql')
        throw new PgbackupError('damaged', `The archive of backup ${choice.entry.manifest.id} is not a pg_dump archive`);
      const { manifest } = choice.entry;
      const { createsPublic } = await server.contents(input);
      return { planned: { kind: 'backup', manifest }, input, dropPublic: createsPublic || manifest.publicSchema === false };
    }
    const sha256 = source.sha256 ?? '';
    if (inspected.format === 'sql') return checkSql(ports, choice, origin, inspected, input, sha256);
    // Decoding shows a foreign archive to be whole; an own one was decoded when it was taken, and is the same by its checksum.
    await server.decode(input).catch((cause: unknown) => Promise.reject(namedAs(choice.label, cause)));
    const { serverMajor, roles, extensions, tables, createsPublic } = await server.contents(input);
    return {
      planned: { ...describeFile(choice, inspected, sha256), serverMajor, roles, extensions, contained: [], tables },
      input,
      dropPublic: createsPublic,
    };
  });
}

/** pg_restore tells what is wrong, and not with which file. */
function namedAs(label: string, cause: unknown): unknown {
  if (!(cause instanceof PgbackupError) || cause.code !== 'damaged') return cause;
  const message = cause.message.replace(/^The archive is damaged/, `${label} is damaged`);
  return new PgbackupError('damaged', message, { cause, hint: 'Get a whole copy: what there is of this one is not restored' });
}

function describeFile(
  choice: FileChoice,
  inspected: InspectedSource,
  sha256: string,
): Pick<Extract<PlannedSource, { kind: 'file' }>, 'kind' | 'label' | 'inspected' | 'sha256' | 'checksumGiven'> {
  return { kind: 'file', label: choice.label, inspected, sha256, checksumGiven: choice.sha256 !== undefined };
}

async function checkSql(
  ports: SourcePorts,
  choice: FileChoice,
  origin: Origin,
  inspected: InspectedSource,
  input: RestoreInput,
  sha256: string,
): Promise<CheckedSource> {
  const report: SqlReport = await ports.sources.inspectSql(origin, inspected);
  // Half a file of plain SQL restores without an error. Only pg_dump's last line, or a checksum, tells that it is all there.
  if (!report.complete && choice.sha256 === undefined) {
    const why = report.fromPgDump
      ? 'it does not end as pg_dump ends: it is cut off'
      : 'it was not written by pg_dump, and nothing tells whether it is whole';
    throw new PgbackupError('damaged', `${choice.label} cannot be shown to be complete: ${why}`, {
      hint: `Get a whole copy. To vouch for this one, add: --sha256 ${sha256}`,
    });
  }
  const { serverMajor, roles, extensions, contained, tables } = report;
  return {
    planned: { ...describeFile(choice, inspected, sha256), serverMajor, roles, extensions, contained, tables },
    input,
    dropPublic: false,
  };
}
