import { randomBytes } from 'node:crypto';
import { PgbackupError } from '../../domain/errors.ts';
import { parseRecipients } from '../../domain/recipients.ts';
import type { Encryption, EncryptionTarget, Keyring } from '../../ports.ts';
import { damagedHeader, headerLength, makeHeader, openHeader } from './age-header.ts';
import { decryptPayload, encryptPayload, NONCE_BYTES } from './age-payload.ts';
import { dearmor, isArmored } from './armor.ts';
import { isPgpKey, parseIdentities, recipientOf } from './identities.ts';
import { Lookahead } from './lookahead.ts';

/** Enough of a file to tell armor from bytes. */
const ARMOR_HEAD = 64;

/** Encryption in the format of age (https://age-encryption.org/v1), whose files the program `age` opens. */
export class AgeEncryption implements Encryption {
  /** File keys by header: a source is opened several times, and a passphrase takes half a second each. */
  readonly #opened = new WeakMap<Keyring, Map<string, Promise<Uint8Array>>>();

  async checkRecipients(recipients: readonly string[]): Promise<void> {
    // One by one, so that the message can name the one that is wrong.
    for (const recipient of parseRecipients(recipients.join(' '))) {
      await makeHeader({ kind: 'recipients', recipients: [recipient] }).catch((cause: unknown) => {
        throw new PgbackupError('usage', `${recipient.slice(0, 70)} is not a recipient: a character of it is wrong`, {
          cause,
          hint: 'Copy it again: age-keygen -y key.txt prints it',
        });
      });
    }
  }

  async *encrypt(target: EncryptionTarget, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    // Checked here too: what is encrypted to nobody, or to somebody else, is no backup.
    if (target.kind === 'recipients') parseRecipients(target.recipients.join(' '));
    else if (target.passphrase === '') throw new PgbackupError('usage', 'The passphrase is empty');
    const { bytes, fileKey } = await makeHeader(target);
    const nonce = randomBytes(NONCE_BYTES);
    yield Buffer.concat([bytes, nonce]);
    yield* encryptPayload(fileKey, nonce, body);
  }

  async *decrypt(keys: Keyring, body: AsyncIterable<Uint8Array>, name = 'The archive'): AsyncGenerator<Uint8Array> {
    await using file = new Lookahead(body);
    const armored = isArmored(await file.peek((head) => head.length >= ARMOR_HEAD));
    await using binary = new Lookahead(armored ? dearmor(file.rest(), name) : file.rest());
    const start = await binary.peek((head) => {
      const length = headerLength(head, name);
      return length !== undefined && head.length >= length + NONCE_BYTES;
    });
    const length = headerLength(start, name);
    if (length === undefined || start.length < length + NONCE_BYTES) throw damagedHeader(name, 'it is cut off');
    const fileKey = await this.#open(start.subarray(0, length), keys, name);
    const end = length + NONCE_BYTES;
    yield* decryptPayload(fileKey, start.subarray(length, end), binary.rest(end), name);
  }

  parseIdentities(text: string): Promise<readonly string[]> {
    return parseIdentities(text);
  }

  async recipientsOf(identities: readonly string[]): Promise<readonly string[]> {
    return Promise.all(identities.filter((identity) => !isPgpKey(identity)).map(recipientOf));
  }

  #open(header: Buffer, keys: Keyring, name: string): Promise<Uint8Array> {
    const opened = this.#opened.get(keys) ?? new Map<string, Promise<Uint8Array>>();
    this.#opened.set(keys, opened);
    const known = header.toString('latin1');
    const fileKey = opened.get(known) ?? openHeader(header, keys, name);
    opened.set(known, fileKey);
    return fileKey;
  }
}
