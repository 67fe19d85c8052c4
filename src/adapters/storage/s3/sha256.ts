import { createHash, createHmac, createSecretKey, hash, type Hash, type Hmac, type KeyObject } from 'node:crypto';

type Data = string | ArrayBuffer | ArrayBufferView;

/**
 * What the SDK's signer wants a hash to be. It makes four of them for each request, over and over with the same keys:
 * kept, and hashed in one go, they take half of the time of a signature.
 */
export class Sha256 {
  readonly #hmac: Hmac | undefined;
  #first: string | Uint8Array | undefined;
  #more: Hash | undefined;

  constructor(secret?: Data) {
    if (secret !== undefined) this.#hmac = createHmac('sha256', keyOf(secret));
  }

  update(data: Data): void {
    const bytes = asBytes(data);
    if (this.#hmac) this.#hmac.update(bytes);
    else if (this.#more) this.#more.update(bytes);
    else if (this.#first === undefined) this.#first = bytes;
    else this.#more = createHash('sha256').update(this.#first).update(bytes);
  }

  async digest(): Promise<Uint8Array> {
    return (this.#hmac ?? this.#more)?.digest() ?? hash('sha256', this.#first ?? '', 'buffer');
  }

  reset(): void {
    throw new Error('the signer never asks for it');
  }
}

const byText = new Map<string, KeyObject>();
const byBytes = new WeakMap<object, KeyObject>();

function keyOf(secret: Data): KeyObject {
  const known = typeof secret === 'string' ? byText.get(secret) : byBytes.get(secret);
  if (known) return known;
  const bytes = asBytes(secret);
  const key = createSecretKey(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  if (typeof secret === 'string') byText.set(secret, key);
  else byBytes.set(secret, key);
  return key;
}

function asBytes(data: Data): string | Uint8Array {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}
