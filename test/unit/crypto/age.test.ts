import { createCipheriv, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { decryptPayload, encryptPayload } from '../../../src/adapters/crypto/age-payload.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { chunksOf, failure, noise } from '../../tools/bytes.ts';
import { collectGarbage } from '../../tools/memory.ts';
import { age, ageDecrypts, ageWithPassphrase, collect, keyPair, keyring, program, seal, unseal } from './helpers.ts';

const CHUNK = 65_536;
const sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1_048_576 + 17, 16 * CHUNK, 3_000_000];
const mine = keyPair();
const other = keyPair();

describe('with the program age', () => {
  it.each(sizes)('%i bytes that we encrypt are decrypted', async (size) => {
    const plain = noise(size);
    expect(ageDecrypts(await seal(mine.recipient, plain), mine.file).equals(plain)).toBe(true);
  });

  it.each(sizes)('%i bytes that it encrypts are decrypted by us, also from ASCII armor', async (size) => {
    const plain = noise(size);
    for (const flags of [[], ['-a']]) {
      const sealed = program('age', [...flags, '-r', mine.recipient], plain);
      expect((await unseal(keyring(mine.identity), sealed)).equals(plain)).toBe(true);
    }
  });

  it('each of several recipients opens a file, in both directions', async () => {
    const plain = noise(100_000);
    const recipients = [other.recipient, mine.recipient];
    const ours = await seal({ kind: 'recipients', recipients }, plain);
    const theirs = program('age', ['-r', other.recipient, '-r', mine.recipient], plain);
    for (const key of [mine, other]) {
      expect(ageDecrypts(ours, key.file).equals(plain)).toBe(true);
      expect((await unseal(keyring(key.identity), theirs)).equals(plain)).toBe(true);
    }
    expect((await unseal(keyring(keyPair().identity, other.identity), ours)).equals(plain)).toBe(true);
  });

  it('a passphrase opens a file, in both directions', async () => {
    const plain = noise(200_000);
    const passphrase = 'correct horse "battery" ünïcode $taple';
    const ours = await seal({ kind: 'passphrase', passphrase }, plain);
    expect(ageWithPassphrase('decrypt', ours, passphrase).equals(plain)).toBe(true);
    const theirs = ageWithPassphrase('encrypt', plain, passphrase);
    expect((await unseal({ identities: [mine.identity], passphrase }, theirs)).equals(plain)).toBe(true);
    // Four times scrypt, which is made to take its time; more so on a busy machine.
  }, 120_000);
});

describe('a round trip', () => {
  it('gives back what was encrypted, whatever the chunks', async () => {
    const length = fc.oneof(fc.integer({ min: 0, max: 300_000 }), fc.constantFrom(...sizes));
    const chunk = fc.oneof(fc.integer({ min: 1_000, max: 200_000 }), fc.constantFrom(CHUNK, CHUNK + 16, 1_048_576));
    await fc.assert(
      fc.asyncProperty(length, chunk, chunk, async (size, cut, cutAgain) => {
        const plain = noise(size);
        const sealed = await seal(mine.recipient, plain, cut);
        expect((await unseal(keyring(mine.identity), sealed, cutAgain)).equals(plain)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('takes a stream byte by byte', async () => {
    const plain = noise(700);
    const sealed = await seal(mine.recipient, plain, 1);
    expect((await unseal(keyring(mine.identity), sealed, 1)).equals(plain)).toBe(true);
  });

  it.each([
    { kind: 'recipients', recipients: [] },
    { kind: 'recipients', recipients: ['ssh-ed25519 AAAA'] },
    { kind: 'passphrase', passphrase: '' },
  ] as const)('is not begun for nobody: %j', async (target) => {
    expect(await failure(seal(target, noise(10)))).toMatchObject({ code: 'usage' });
  });

  it('has a key of its own for each file', async () => {
    const [first, second] = [await seal(mine.recipient, noise(1000)), await seal(mine.recipient, noise(1000))];
    expect(first.subarray(-1016).equals(second.subarray(-1016))).toBe(false);
  });

  it('goes with post-quantum recipients, which age has since 1.3', async () => {
    const identity = await generateHybridIdentity();
    const recipient = await identityToRecipient(identity);
    await age.checkRecipients([recipient]);
    expect(await age.recipientsOf(await age.parseIdentities(`# pq\n${identity}\n`))).toEqual([recipient]);
    const plain = noise(70_000);
    expect((await unseal(keyring(identity), await seal(recipient, plain))).equals(plain)).toBe(true);
  });
});

describe('damage is found', () => {
  const plain = noise(3 * CHUNK + 100);
  // The last: what ends where a chunk ends is whole in all its parts.
  const ends = (length: number): number[] => [
    0,
    1,
    22,
    100,
    length - 1,
    length - 16,
    length - 117,
    length - 116,
    length - 116 - (CHUNK + 16),
  ];

  it('wherever a file is cut off', async () => {
    const sealed = await seal(mine.recipient, plain);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: sealed.length - 1 }), async (length) => {
        expect(await failure(unseal(keyring(mine.identity), sealed.subarray(0, length)))).toMatchObject({ code: 'damaged' });
      }),
      { numRuns: 150, examples: ends(sealed.length).map((end) => [end]) },
    );
  });

  it('wherever one bit is another', async () => {
    const sealed = await seal(mine.recipient, plain);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: sealed.length - 1 }), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        const flipped = Buffer.from(sealed);
        flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
        const error = await failure(unseal(keyring(mine.identity), flipped));
        // In the line of a recipient it is no longer for this key.
        expect(error).toMatchObject({ code: at < 200 ? expect.stringMatching(/damaged|refused/) : 'damaged' });
      }),
      { numRuns: 150, examples: Array.from({ length: 220 }, (_, at) => [at, at % 8] as [number, number]) },
    );
  });

  it('wherever ASCII armor is cut off or altered', async () => {
    const sealed = program('age', ['-a', '-r', mine.recipient], noise(5000));
    const whole = await unseal(keyring(mine.identity), sealed);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: sealed.length - 2 }), fc.boolean(), async (at, cut) => {
        const altered = Buffer.from(cut ? sealed.subarray(0, at) : sealed);
        if (!cut) altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
        // The line break at the very end may be missing.
        const result = await failure(unseal(keyring(mine.identity), altered));
        expect(result).toMatchObject({ code: expect.stringMatching(/damaged|refused/) });
      }),
      { numRuns: 200 },
    );
    expect(whole.length).toBe(5000);
    for (const more of ['x', '-----BEGIN AGE ENCRYPTED FILE-----\n', ' \nx']) {
      expect(await failure(unseal(keyring(mine.identity), Buffer.concat([sealed, Buffer.from(more)])))).toMatchObject({ code: 'damaged' });
    }
    const windows = Buffer.from(sealed.toString().replaceAll('\n', '\r\n'));
    expect((await unseal(keyring(mine.identity), windows)).equals(whole)).toBe(true);
  });

  it.each([
    ['is cut off between two chunks', (sealed: Buffer) => sealed.subarray(0, -116), /it is cut off: its end is missing/],
    [
      'lost its first chunk',
      (sealed: Buffer) => Buffer.concat([sealed.subarray(0, 184), sealed.subarray(184 + CHUNK + 16)]),
      /chunk 1 .*altered/,
    ],
    ['has other bytes after its end', (sealed: Buffer) => Buffer.concat([sealed, noise(70_000)]), /chunk 4 .*altered/],
    ['is doubled', (sealed: Buffer) => Buffer.concat([sealed, sealed]), /chunk 4 .*altered/],
  ])('where a file %s, and the message says so', async (_, damage, message) => {
    const sealed = await seal(mine.recipient, plain);
    expect(sealed.length).toBe(168 + 16 + 3 * (CHUNK + 16) + 116);
    const error = await failure(unseal(keyring(mine.identity), damage(sealed)));
    expect(error).toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(message),
      hint: expect.stringContaining('another copy'),
    });
  });

  it('where an empty chunk follows the last one', async () => {
    const fileKey = noise(16);
    const nonce = noise(16);
    const sealed = (size: number): Promise<Buffer> => collect(encryptPayload(fileKey, nonce, chunksOf(noise(size))));
    // The first chunk of a longer payload, and then an end of its own.
    const first = (await sealed(2 * CHUNK)).subarray(0, CHUNK + 16);
    const key = Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
    const cipher = createCipheriv('chacha20-poly1305', key, Buffer.from('000000000000000000000101', 'hex'), { authTagLength: 16 });
    const end = Buffer.concat([cipher.final(), cipher.getAuthTag()]);
    const error = await failure(collect(decryptPayload(fileKey, nonce, chunksOf(Buffer.concat([first, end])), 'shop.age')));
    expect(error).toMatchObject({ code: 'damaged', message: 'shop.age is damaged (age): its last chunk is empty.' });
  });

  it('where the header is cut off, and the message says so', async () => {
    const error = await failure(unseal(keyring(mine.identity), (await seal(mine.recipient, plain)).subarray(0, 150)));
    expect(error).toMatchObject({ code: 'damaged', message: 'shop.age is damaged: its age header cannot be read: it is cut off.' });
  });
});

describe('what no key opens is refused at the header', () => {
  /** The beginning of a file, after which nothing may be asked for. */
  async function* headOnly(sealed: Buffer): AsyncGenerator<Uint8Array> {
    yield sealed.subarray(0, 20);
    yield sealed.subarray(20, 1000);
    throw new Error('the payload was read');
  }

  it.each([
    ['another identity', keyring(other.identity), 'the identity given is not of it', '--identity'],
    ['two other identities', keyring(other.identity, keyPair().identity), 'none of the 2 identities given', 'age-keygen -y'],
    ['no identity', keyring(), 'and no identity was given', '--identity <file>'],
    ['a passphrase', { identities: [], passphrase: 'x' }, 'and no identity was given', '--identity <file>'],
  ])('with %s', async (_, keys, message, hint) => {
    const sealed = await seal(mine.recipient, noise(3_000_000));
    const error = await failure(collect(age.decrypt(keys, headOnly(sealed))));
    expect(error).toMatchObject({
      code: 'refused',
      message: expect.stringMatching(new RegExp(`^The archive is encrypted \\(age\\) to one recipient, .*${message}`)),
    });
    expect(error instanceof PgbackupError ? error.hint : '').toContain(hint === '--identity' ? 'age-keygen -y' : hint);
  });

  it('with a wrong passphrase or none, which no message repeats', async () => {
    const sealed = await seal({ kind: 'passphrase', passphrase: 'right' }, noise(3_000_000));
    const wrong = await failure(collect(age.decrypt({ identities: [], passphrase: 'wr0ng-secret' }, headOnly(sealed))));
    expect(wrong).toMatchObject({ code: 'refused', message: 'The archive is not opened by the passphrase given.' });
    expect(JSON.stringify(wrong, Object.getOwnPropertyNames(wrong))).not.toContain('wr0ng');
    expect(await failure(collect(age.decrypt(keyring(mine.identity), headOnly(sealed))))).toMatchObject({
      code: 'refused',
      message: expect.stringContaining('encrypted with a passphrase'),
      hint: expect.stringContaining('--passphrase-file'),
    });
  });

  it('where a passphrase would take more work than any host can do, at once', async () => {
    const sealed = await seal({ kind: 'passphrase', passphrase: 'right' }, noise(10));
    const hostile = Buffer.from(sealed.toString('latin1').replace(/^(-> scrypt \S+) 17$/m, '$1 30'), 'latin1');
    const started = Date.now();
    expect(await failure(unseal({ identities: [], passphrase: 'right' }, hostile))).toMatchObject({
      code: 'refused',
      message: expect.stringContaining('scrypt 2^30'),
    });
    expect(Date.now() - started).toBeLessThan(1000);
  });

  it('where it is encrypted to keys of another kind, naming it', async () => {
    const header = 'age-encryption.org/v1\n-> ssh-ed25519 AAAA BBBB\nCCCC\n--- ' + 'A'.repeat(43) + '\n';
    const error = await failure(unseal(keyring(mine.identity), Buffer.from(header + 'x'.repeat(100))));
    expect(error).toMatchObject({ code: 'refused', message: expect.stringContaining('not known here: ssh-ed25519') });
  });

  it('where the header has no end', async () => {
    const error = await failure(unseal(keyring(mine.identity), Buffer.from('age-encryption.org/v1\n' + 'A\n'.repeat(200_000))));
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining('does not end within 256 KiB') });
  });
});

describe('a stream', () => {
  async function* breaking(error: unknown): AsyncGenerator<Uint8Array> {
    yield noise(200_000);
    throw error;
  }

  it('that breaks is an error of what comes out, and the same one', async () => {
    const cause = new PgbackupError('postgres', 'pg_dump failed');
    expect(await failure(collect(age.encrypt({ kind: 'recipients', recipients: [mine.recipient] }, breaking(cause))))).toBe(cause);
    const sealed = await seal(mine.recipient, noise(500_000));
    async function* half(): AsyncGenerator<Uint8Array> {
      yield sealed.subarray(0, 300_000);
      throw cause;
    }
    expect(await failure(collect(age.decrypt(keyring(mine.identity), half())))).toBe(cause);
  });

  it('is let go of by whoever stops reading, and where no key fits', async () => {
    let closed = 0;
    async function* endless(start: Uint8Array): AsyncGenerator<Uint8Array> {
      try {
        yield start;
        for (;;) yield noise(65_536);
      } finally {
        closed += 1;
      }
    }
    for await (const chunk of age.encrypt({ kind: 'recipients', recipients: [mine.recipient] }, endless(noise(1)))) {
      if (chunk.length > 100_000) break;
    }
    expect(closed).toBe(1);
    const sealed = await seal(mine.recipient, noise(3_000_000));
    for await (const chunk of age.decrypt(keyring(mine.identity), endless(sealed.subarray(0, 2_000_000)))) if (chunk.length > 0) break;
    expect(closed).toBe(2);
    await failure(collect(age.decrypt(keyring(other.identity), endless(sealed))));
    expect(closed).toBe(3);
  });

  it('is given on in chunks of about 1 MiB, in constant memory', async () => {
    const block = noise(65_536);
    async function* many(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 3200; i += 1) yield block;
    }
    let most = 0;
    let small = 0;
    let chunks = 0;
    await collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    const sealed = age.encrypt({ kind: 'recipients', recipients: [mine.recipient] }, many());
    let bytes = 0;
    for await (const chunk of age.decrypt(keyring(mine.identity), sealed)) {
      bytes += chunk.length;
      if (chunk.length < 900_000) small += 1;
      chunks += 1;
      if (chunks % 20 !== 0) continue;
      await collectGarbage();
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(bytes).toBe(3200 * 65_536);
    expect(small).toBeLessThan(2);
    expect(chunks).toBeGreaterThan(100);
    expect(most).toBeLessThan(20 * 1024 * 1024);
  });
});
