import { statSync } from 'node:fs';
import { messageOf, PgbackupError } from '../../domain/errors.ts';
import type { Storage, StorageFinding } from '../../ports.ts';
import { isMissing } from '../files.ts';

/** Tries out all that backups need of a directory, with a small file of its own, and says who else can look into it. */
export async function checkLocal(storage: Storage): Promise<readonly StorageFinding[]> {
  const key = `.pgbackup-check-${crypto.randomUUID().slice(0, 8)}/probe`;
  const findings: StorageFinding[] = [];
  const attempt = async (id: string, title: string, said: string, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      findings.push({ id, title, state: 'ok', detail: said, required: true });
      return true;
    } catch (error) {
      const hint = error instanceof PgbackupError && error.hint !== undefined ? `. ${error.hint}` : '';
      findings.push({ id, title, state: 'missing', detail: `${messageOf(error)}${hint}`, required: true });
      return false;
    }
  };
  const wrote = await attempt('write', 'Write', 'backups can be taken to it', async () => {
    await storage.put(key, textOf('pgbackup'));
  });
  if (!wrote) return findings;
  await attempt('read', 'Read', 'backups can be restored from it', async () => {
    if ((await storage.readText(key)) !== 'pgbackup')
      throw new PgbackupError('storage', `${storage.place} gives back other bytes than it was given`);
  });
  await attempt('list', 'List', 'backups are found in it', async () => {
    for await (const listed of storage.list('')) if (listed.key === key) return;
    throw new PgbackupError('storage', `${storage.place} does not list what was written to it`);
  });
  await attempt('delete', 'Delete', 'prune can remove what is not to be kept', () => storage.delete(key));
  return [...findings, privacy(storage.place)];
}

async function* textOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** The archives themselves are for user dokku alone; whoever can enter the directory still sees the names of services. */
function privacy(place: string): StorageFinding {
  const title = 'Keep others out';
  try {
    const { mode, uid } = statSync(place);
    const open = (mode & 0o007) !== 0;
    const whose = uid === process.getuid?.() ? 'it is the own directory of user dokku' : `it belongs to uid ${uid}`;
    const detail = open ? `${whose}, and every user of this host can look into it: chmod o-rwx ${place}` : whose;
    return { id: 'private', title, state: open ? 'missing' : 'ok', detail, required: false };
  } catch (error) {
    return { id: 'private', title, state: 'unknown', detail: isMissing(error) ? 'it is not there yet' : messageOf(error), required: false };
  }
}
