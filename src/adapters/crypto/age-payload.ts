import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { PgbackupError } from '../../domain/errors.ts';
import { pieces } from './pieces.ts';

/**
 * The payload of age files: https://c2sp.org/age. Done with node:crypto, since the library's own (in JavaScript)
 * moves 112 MB/s, less than pg_dump does.
 */

/** Bytes of the nonce that stands before the payload. */
export const NONCE_BYTES = 16;

const CHUNK = 64 * 1024;
const TAG = 16;
/** Bytes given on at a time: whoever comes next (a hash, a disk, a network) would be slowed down by many small chunks. */
const BATCH = 1024 * 1024;

/**
 * The key of a payload, from the file key of the header and the payload's nonce. An object, since a cipher that is
 * given bytes makes one of them each time: 680 MB/s instead of 1,000.
 */
function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32)));
}

/** The nonce of a chunk: 11 bytes that count, and one that says whether it is the last. */
function chunkNonce(counter: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(counter, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

const cipherOptions = { authTagLength: TAG };

/** The chunks of a payload, without the nonce before them. Errors of the body come through unchanged. */
export async function* encryptPayload(fileKey: Uint8Array, nonce: Uint8Array, body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const key = payloadKey(fileKey, nonce);
  let batch: Buffer[] = [];
  let bytes = 0;
  let counter = 0;
  for await (const { piece, last } of pieces(body, CHUNK)) {
    const cipher = createCipheriv('chacha20-poly1305', key, chunkNonce(counter, last), cipherOptions);
    batch.push(cipher.update(piece), cipher.final(), cipher.getAuthTag());
    bytes += piece.length + TAG;
    counter += 1;
    if (!last && bytes < BATCH) continue;
    yield Buffer.concat(batch);
    batch = [];
    bytes = 0;
  }
}

/**
 * What a payload holds, chunk by chunk as each is shown to be genuine; the end only where it is the payload's own.
 * @param name what messages call it. @throws PgbackupError damaged; errors of the body come through unchanged.
 */
export async function* decryptPayload(
  fileKey: Uint8Array,
  nonce: Uint8Array,
  body: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Buffer> {
  const key = payloadKey(fileKey, nonce);
  let batch: Buffer[] = [];
  let bytes = 0;
  let counter = 0;
  for await (const { piece, last } of pieces(body, CHUNK + TAG)) {
    const plain = openChunk(key, counter, last, piece);
    if (plain === undefined) throw damaged(name, whatIsWrong(key, counter, last, piece));
    if (last && plain.length === 0 && counter > 0) throw damaged(name, 'its last chunk is empty');
    batch.push(plain);
    bytes += plain.length;
    counter += 1;
    if (!last && bytes < BATCH) continue;
    if (bytes > 0) yield Buffer.concat(batch);
    batch = [];
    bytes = 0;
  }
}

/** The plaintext of a chunk; undefined where it is not the one that was sealed for this place. */
function openChunk(key: KeyObject, counter: number, last: boolean, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < TAG) return undefined;
  const end = sealed.length - TAG;
  const decipher = createDecipheriv('chacha20-poly1305', key, chunkNonce(counter, last), cipherOptions);
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plain;
}

function whatIsWrong(key: KeyObject, counter: number, last: boolean, sealed: Uint8Array): string {
  if (sealed.length < TAG || (last && openChunk(key, counter, false, sealed) !== undefined)) return 'it is cut off: its end is missing';
  if (!last && openChunk(key, counter, true, sealed) !== undefined) return 'other bytes follow its end';
  // A part of a chunk, and a whole one with a wrong bit, cannot be told apart.
  return last ? 'its last chunk is cut off or altered' : `chunk ${counter + 1} (of 64 KiB) is altered`;
}

function damaged(name: string, how: string): PgbackupError {
  return new PgbackupError('damaged', `${name} is damaged (age): ${how}.`, {
    hint: 'Take another copy of it; what there is of this one is not restored.',
  });
}
