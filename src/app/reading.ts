import { PgbackupError } from '../domain/errors.ts';
import { isBackupId } from '../domain/backup-id.ts';
import { isServiceName, parseServiceName } from '../domain/names.ts';
import type { Ports, Storage } from '../ports.ts';
import type { CatalogEntry } from './catalog.ts';

/**
 * Keeps a backup from being pruned or deleted for as long as it is read. The catalog that named it may be a while old,
 * so it is looked for once more in the storages it is to be read from; one that does not answer is told by the reading.
 * @param purpose with its article: `a restore`. @throws PgbackupError locked (it is being removed), not-found (it has been).
 */
export async function holdBackup(
  ports: Pick<Ports, 'locks'>,
  entry: CatalogEntry,
  purpose: string,
  storages: readonly Storage[] = entry.copies,
): Promise<AsyncDisposable> {
  const { manifest, folder } = entry;
  const mark = await ports.locks.reading(parseServiceName(manifest.service.name), manifest.id, purpose);
  for (const storage of storages) {
    const there = await storage.head(`${folder}manifest.json`).then(
      (found) => found !== undefined,
      () => true,
    );
    if (there) return mark;
  }
  await mark[Symbol.asyncDispose]();
  throw new PgbackupError(
    'not-found',
    `Backup ${manifest.id} has been removed from ${storages.map(({ place }) => place).join(' and ')} meanwhile`,
    {
      hint: `List those that are there: dokku pgbackup:list ${manifest.service.name}`,
    },
  );
}

/** The marks of one operation, all given back when it is over. */
export class ReaderMarks implements AsyncDisposable {
  readonly #ports: Pick<Ports, 'locks'>;
  readonly #purpose: string;
  readonly #marks: AsyncDisposable[] = [];

  constructor(ports: Pick<Ports, 'locks'>, purpose: string) {
    this.#ports = ports;
    this.#purpose = purpose;
  }

  /** See `holdBackup`. */
  async hold(entry: CatalogEntry): Promise<void> {
    this.#marks.push(await holdBackup(this.#ports, entry, this.#purpose));
  }

  /** An archive of ours that was named by its path; any other file needs no mark. @throws PgbackupError locked. */
  async holdFile(path: string): Promise<void> {
    const [service, id] = path.split('/').slice(-3);
    if (service === undefined || id === undefined || !isServiceName(service) || !isBackupId(id)) return;
    this.#marks.push(await this.#ports.locks.reading(service, id, this.#purpose));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const mark of this.#marks) await mark[Symbol.asyncDispose]();
  }
}
