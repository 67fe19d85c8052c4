import { PgbackupError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { PlannedSource } from '../domain/restore-plan.ts';
import type { InspectedSource, SqlReport } from '../domain/source.ts';
import type { Ports, PostgresServer, RestoreInput } from '../ports.ts';
import { archiveKey, type CatalogEntry } from './catalog.ts';

/** What a restore was told to read. */
export type SourceChoice =
  | { readonly kind: 'backup'; readonly entry: CatalogEntry }
  | { readonly kind: 'file'; readonly path: string; readonly label: string; readonly sha256: string | undefined };

/** A source that has been shown to be whole, as far as it can be. */
export interface CheckedSource {
  readonly planned: PlannedSource;
  readonly input: RestoreInput;
  readonly dropPublic: boolean;
}

type SourcePorts = Pick<Ports, 'sources' | 'reporter'>;

/** The file that the choice stands for. @throws PgbackupError not-found, storage. */
function sourcePath(choice: SourceChoice): string {
  if (choice.kind === 'file') return choice.path;
  const path = choice.entry.storage.filePath(archiveKey(choice.entry));
  if (path === undefined) throw new PgbackupError('storage', `Backup ${choice.entry.manifest.id} does not lie on this host`);
  return path;
}

/** A source whose bytes have been read once, before any server is asked. */
export interface ReadSource {
  readonly choice: SourceChoice;
  readonly path: string;
  readonly inspected: InspectedSource;
  readonly sha256: string;
}

/**
 * Finds out what the source is, and compares it with its checksum where it has one.
 * @throws PgbackupError damaged, refused (no permission), not-found.
 */
export async function readSource(ports: SourcePorts, target: string, choice: SourceChoice): Promise<ReadSource> {
  const path = sourcePath(choice);
  ports.reporter.step(`Checking ${choice.kind === 'backup' ? choice.entry.manifest.id : choice.label}`);
  return inWordsOf(choice, target, async () => {
    const { sha256, bytes } = await ports.sources.hash(path);
    if (choice.kind === 'backup') checkStored(choice.entry.manifest, path, sha256, bytes);
    else if (choice.sha256 !== undefined && choice.sha256 !== sha256) {
      throw new PgbackupError('damaged', `${choice.label} has SHA-256 ${sha256}, not the one given for it`, {
        hint: 'Copy the file again, and compare with sha256sum',
      });
    }
    return { choice, path, inspected: await ports.sources.inspect(path), sha256 };
  });
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
 * Reads the source to its end before anything is touched: an own backup was read for its checksum; a foreign
 * archive is decoded; plain SQL must have its closing line.
 * @throws PgbackupError damaged, refused.
 */
export async function checkSource(ports: SourcePorts, server: PostgresServer, target: string, source: ReadSource): Promise<CheckedSource> {
  const { choice, path, inspected, sha256 } = source;
  const input: RestoreInput = {
    format: inspected.format,
    file: inspected.bare ? path : undefined,
    open: () => ports.sources.open(path, inspected, server.version.major),
  };
  return inWordsOf(choice, target, async () => {
    if (inspected.format === 'sql') return checkSql(ports, choice, path, inspected, input, sha256);
    // Decoding shows a foreign archive to be whole; an own one was decoded when it was taken, and is the same by its checksum.
    if (choice.kind === 'file') await server.decode(input).catch((cause: unknown) => Promise.reject(namedAs(choice.label, cause)));
    const contents = await server.contents(input);
    if (choice.kind === 'backup') {
      const { manifest } = choice.entry;
      return { planned: { kind: 'backup', manifest }, input, dropPublic: contents.createsPublic || manifest.publicSchema === false };
    }
    const { serverMajor, roles, extensions, tables } = contents;
    return {
      planned: { ...describeFile(choice, inspected, sha256), serverMajor, roles, extensions, contained: [], tables },
      input,
      dropPublic: contents.createsPublic,
    };
  });
}

/** pg_restore tells what is wrong, and not with which file. */
function namedAs(label: string, cause: unknown): unknown {
  if (!(cause instanceof PgbackupError) || cause.code !== 'damaged') return cause;
  const message = cause.message.replace(/^The archive is damaged/, `${label} is damaged`);
  return new PgbackupError('damaged', message, { cause, hint: 'Get a whole copy: what there is of this one is not restored' });
}

type FileChoice = Extract<SourceChoice, { kind: 'file' }>;

function describeFile(
  choice: FileChoice,
  inspected: InspectedSource,
  sha256: string,
): Pick<Extract<PlannedSource, { kind: 'file' }>, 'kind' | 'label' | 'inspected' | 'sha256' | 'checksumGiven'> {
  return { kind: 'file', label: choice.label, inspected, sha256, checksumGiven: choice.sha256 !== undefined };
}

function checkStored(manifest: Manifest, path: string, sha256: string, bytes: number): void {
  const { storedBytes, storedSha256 } = manifest.archive;
  if (sha256 === storedSha256 && bytes === storedBytes) return;
  const how = bytes === storedBytes ? 'its SHA-256 is not the one recorded' : `it has ${bytes} bytes, and ${storedBytes} were stored`;
  throw new PgbackupError('damaged', `The archive of backup ${manifest.id} is damaged: ${how} (${path})`, {
    hint: `Choose another backup: dokku pgbackup:list ${manifest.service.name}`,
  });
}

async function checkSql(
  ports: SourcePorts,
  choice: SourceChoice,
  path: string,
  inspected: InspectedSource,
  input: RestoreInput,
  sha256: string,
): Promise<CheckedSource> {
  if (choice.kind === 'backup')
    throw new PgbackupError('damaged', `The archive of backup ${choice.entry.manifest.id} is not a pg_dump archive`);
  const report: SqlReport = await ports.sources.inspectSql(path, inspected);
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
