import { PgbackupError } from '../domain/errors.ts';
import type { Keyring, Ports } from '../ports.ts';

/** Files that hold keys, as they were typed; `-` is standard input. */
export interface KeyFiles {
  readonly identities: readonly string[];
  readonly passphrase: string | undefined;
}

/** Opens nothing that is encrypted. */
export const noKeys: Keyring = { identities: [], passphrase: undefined };

/**
 * The keys in the files. @throws PgbackupError usage, not-found, refused. No message holds anything of a key.
 */
export async function readKeys(ports: Pick<Ports, 'sources' | 'encryption' | 'reporter'>, files: KeyFiles): Promise<Keyring> {
  const read = async (path: string): Promise<string> => {
    const { text, readableByOthers } = await ports.sources.readKeyFile(path);
    if (readableByOthers) ports.reporter.warn(`${path} can be read by other users of this host: chmod 600 it, or remove it after use`);
    return text;
  };
  const identities: string[] = [];
  for (const path of files.identities) identities.push(...(await ports.encryption.parseIdentities(await read(path))));
  const passphrase = files.passphrase === undefined ? undefined : parsePassphrase(await read(files.passphrase));
  return { identities: [...new Set(identities)], passphrase };
}

/** A passphrase from its file: one line. */
function parsePassphrase(text: string): string {
  const line = text.replace(/\r?\n$/, '');
  if (line === '') throw new PgbackupError('usage', 'The passphrase file is empty');
  if (/[\r\n\0]/.test(line)) throw new PgbackupError('usage', 'The passphrase file holds more than one line, and a passphrase is one');
  return line;
}
