import type { Identity, Stanza } from 'age-encryption';
import { PgbackupError } from '../../domain/errors.ts';
import type { EncryptionTarget, Keyring } from '../../ports.ts';
import { passphraseIdentity, passphraseRecipient } from './scrypt.ts';

/** The header of age files: who may open them. The library writes and reads it. */

/** A post-quantum recipient takes 1.6 KB: room for more of them than anybody has. */
const HEADER_LIMIT = 256 * 1024;
/** What the library puts after a header where nothing was to be encrypted: a nonce, and the tag of an empty chunk. */
const EMPTY_PAYLOAD = 16 + 16;

/** A new header and the key of the file that it stands before. */
export interface Header {
  readonly bytes: Uint8Array;
  readonly fileKey: Uint8Array;
}

/** @throws Error, the library's, for what is no recipient. */
export async function makeHeader(target: EncryptionTarget): Promise<Header> {
  const { Encrypter, Stanza: StanzaClass } = await import('age-encryption');
  const encrypter = new Encrypter();
  if (target.kind === 'passphrase') encrypter.addRecipient(passphraseRecipient(target.passphrase, StanzaClass));
  else for (const recipient of target.recipients) encrypter.addRecipient(recipient);
  let fileKey: Uint8Array | undefined;
  // One more, who gets no line in the header: the library tells the file key to its recipients only.
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = key;
      return [];
    },
  });
  const empty = await encrypter.encrypt(new Uint8Array(0));
  if (!fileKey) throw new Error('The age library made a header without a key');
  return { bytes: empty.subarray(0, empty.length - EMPTY_PAYLOAD), fileKey };
}

/**
 * The header at the beginning of a stream: all to the end of its last line, which begins with `---`.
 * @returns undefined where the bytes so far hold no end of it. @throws PgbackupError damaged.
 */
export function headerLength(head: Uint8Array, name: string): number | undefined {
  const text = Buffer.from(head.subarray(0, HEADER_LIMIT)).toString('latin1');
  const last = /\n---[^\n]*\n/.exec(text);
  if (last) return last.index + last[0].length;
  if (head.length < HEADER_LIMIT) return undefined;
  throw damagedHeader(name, `it does not end within ${HEADER_LIMIT / 1024} KiB`);
}

/**
 * The file key, which one of the keys opens.
 * @throws PgbackupError refused, saying what would open it, where none does; damaged for a header that was altered.
 */
export async function openHeader(header: Uint8Array, keys: Keyring, name: string): Promise<Uint8Array> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  if (keys.passphrase !== undefined) decrypter.addIdentity(passphraseIdentity(keys.passphrase, name));
  for (const identity of keys.identities) if (identity.startsWith('AGE-SECRET-KEY-')) decrypter.addIdentity(identity);
  decrypter.addIdentity(lastOfAll(keys, name));
  try {
    return await decrypter.decryptHeader(header);
  } catch (cause) {
    if (cause instanceof PgbackupError) throw cause;
    throw damagedHeader(name, 'it is not what was written', cause);
  }
}

/** Asked only after every key was: that it is asked at all means that none of them fits. */
function lastOfAll(keys: Keyring, name: string): Identity {
  return {
    unwrapFileKey(stanzas) {
      throw noKeyFits(stanzas, keys, name);
    },
  };
}

function noKeyFits(stanzas: readonly Stanza[], keys: Keyring, name: string): PgbackupError {
  const kinds = new Set(stanzas.map(({ args }) => args[0] ?? ''));
  if (kinds.has('scrypt')) {
    return keys.passphrase === undefined
      ? new PgbackupError('refused', `${name} is encrypted with a passphrase (age), and none was given.`, {
          hint: 'Put it into a file of one line, and add: --passphrase-file <file>',
        })
      : new PgbackupError('refused', `${name} is not opened by the passphrase given.`, {
          hint: 'The first line of the passphrase file counts, spaces included',
        });
  }
  const given = keys.identities.filter((identity) => identity.startsWith('AGE-SECRET-KEY-')).length;
  if (kinds.has('X25519') || kinds.has('mlkem768x25519')) {
    const to = `${name} is encrypted (age) to ${stanzas.length === 1 ? 'one recipient' : `${stanzas.length} recipients`}`;
    return given === 0
      ? new PgbackupError('refused', `${to}, and no identity was given.`, { hint: 'Add the file that age-keygen made: --identity <file>' })
      : new PgbackupError(
          'refused',
          `${to}, and ${given === 1 ? 'the identity given is not of it' : `none of the ${given} identities given is of it`}.`,
          {
            hint: 'The public key of an identity file is shown by: age-keygen -y <file>',
          },
        );
  }
  return new PgbackupError('refused', `${name} is encrypted (age) to keys of a kind not known here: ${shown(kinds)}.`, {
    hint: 'Decrypt it first: age -d -i <key> <file> | dokku pgbackup:restore <target> - --confirm <target>',
  });
}

/** Words of somebody else's file, fit for a message. */
function shown(kinds: ReadonlySet<string>): string {
  return [...kinds]
    .slice(0, 4)
    .map((kind) => kind.slice(0, 30).replace(/[^\x21-\x7e]/g, '?'))
    .join(', ');
}

export function damagedHeader(name: string, how: string, cause?: unknown): PgbackupError {
  return new PgbackupError('damaged', `${name} is damaged: its age header cannot be read: ${how}.`, {
    hint: 'Take another copy of it.',
    cause,
  });
}
