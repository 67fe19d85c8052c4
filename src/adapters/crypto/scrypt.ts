import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { Identity, Recipient, Stanza } from 'age-encryption';
import { PgbackupError } from '../../domain/errors.ts';

/**
 * Passphrases as age takes them. The library's own stand still for seconds, since its scrypt is JavaScript and holds
 * the only thread; this one asks Node's, which works beside it.
 */

/** N = 2^17 takes 128 MiB and half a second. (age itself takes 2^18, and 256 MiB, which a small host may not have beside Postgres.) */
const WORK_FACTOR = 17;
/** The most that is accepted, as in the library: 2^20 takes 1 GiB. A hostile file must not hang or fell the host. */
const MAX_WORK_FACTOR = 20;

const LABEL = 'age-encryption.org/v1/scrypt';
const options = { authTagLength: 16 };
const zeroNonce = Buffer.alloc(12);

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt);

async function keyOf(passphrase: string, salt: Uint8Array, workFactor: number): Promise<Buffer> {
  const N = 2 ** workFactor;
  return derive(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), 32, { N, r: 8, p: 1, maxmem: N * 1024 + 1024 * 1024 });
}

/** Whoever knows the passphrase. */
export function passphraseRecipient(passphrase: string, makeStanza: new (args: string[], body: Uint8Array) => Stanza): Recipient {
  return {
    async wrapFileKey(fileKey) {
      const salt = randomBytes(16);
      const cipher = createCipheriv('chacha20-poly1305', await keyOf(passphrase, salt, WORK_FACTOR), zeroNonce, options);
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
      return [new makeStanza(['scrypt', unpadded(salt), String(WORK_FACTOR)], body)];
    },
  };
}

/** The passphrase as a key. It throws PgbackupError refused for a header that asks for too much work. */
export function passphraseIdentity(passphrase: string, name: string): Identity {
  return {
    async unwrapFileKey(stanzas) {
      const stanza = stanzas.find(({ args }) => args[0] === 'scrypt');
      if (!stanza) return null;
      const [, salt, factor, ...more] = stanza.args;
      // That it stands alone is what makes such a file the work of one who knows the passphrase.
      if (stanzas.length !== 1) throw new Error('a passphrase beside other recipients');
      if (salt === undefined || factor === undefined || more.length > 0) throw new Error('a scrypt stanza of another form');
      if (!/^[A-Za-z0-9+/]{22}$/.test(salt) || !/^[1-9]\d{0,2}$/.test(factor) || stanza.body.length !== 32) {
        throw new Error('a scrypt stanza of another form');
      }
      if (Number(factor) > MAX_WORK_FACTOR) {
        throw new PgbackupError('refused', `${name} asks for more work than is done for a passphrase here (scrypt 2^${factor})`, {
          hint: `At most 2^${MAX_WORK_FACTOR} is. If the file is to be trusted, decrypt it first: age -d`,
        });
      }
      const key = await keyOf(passphrase, Buffer.from(salt, 'base64'), Number(factor));
      const decipher = createDecipheriv('chacha20-poly1305', key, zeroNonce, options);
      decipher.setAuthTag(stanza.body.subarray(16));
      const fileKey = decipher.update(stanza.body.subarray(0, 16));
      try {
        decipher.final();
      } catch {
        return null;
      }
      return fileKey;
    },
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
