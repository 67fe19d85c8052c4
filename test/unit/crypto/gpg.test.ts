import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decryptGpg } from '../../../src/adapters/crypto/gpg.ts';
import { parseIdentities } from '../../../src/adapters/crypto/identities.ts';
import { FolderSpools } from '../../../src/adapters/spool.ts';
import type { Keyring } from '../../../src/ports.ts';
import { chunksOf, failure, noise } from '../../tools/bytes.ts';
import { fixture } from '../source/helpers.ts';
import { collect, folder, keyring, program } from './helpers.ts';

const real = readFileSync(fixture('dokku-postgres-1.48.0-postgres-18.tgz.gpg'));
const inside = readFileSync(fixture('dokku-postgres-1.48.0-postgres-18.tgz'));

/** @returns what came out; leaves nothing in the spool. */
async function decrypt(bytes: Uint8Array, keys: Keyring): Promise<Buffer> {
  const root = folder();
  try {
    return await collect(decryptGpg(keys, chunksOf(bytes), 'shop.tgz.gpg', new FolderSpools(root)));
  } finally {
    expect(readdirSync(root)).toEqual([]);
  }
}

function passphrase(text: string): Keyring {
  return { identities: [], passphrase: text };
}

/** Encrypts with the real gpg and a passphrase. */
function sealed(plain: Uint8Array, secret: string, ...flags: string[]): Buffer {
  const place = folder();
  writeFileSync(join(place, 'passphrase'), secret);
  const args = [
    '--batch',
    '--pinentry-mode',
    'loopback',
    '--passphrase-file',
    join(place, 'passphrase'),
    '--symmetric',
    '--s2k-count',
    '65536',
    ...flags,
  ];
  return program('gpg', args, plain, { GNUPGHOME: place });
}

describe('a file that gpg encrypted with a passphrase', () => {
  it("opens, if it is dokku-postgres's", async () => {
    const plain = await decrypt(real, passphrase('s3cret-pass'));
    expect(plain.length).toBe(6506);
    expect(plain.subarray(0, 2).toString('hex')).toBe(inside.subarray(0, 2).toString('hex'));
  });

  it.each([[[]], [['--armor']], [['--compress-algo', 'none']], [['--cipher-algo', 'AES128']]])('opens, with %j', async (flags) => {
    const plain = noise(700_000);
    const secret = 'pass "phrase" $x ünï';
    expect((await decrypt(sealed(plain, secret, ...flags), passphrase(secret))).equals(plain)).toBe(true);
  });

  it('is refused with a wrong passphrase, which no message repeats', async () => {
    const error = await failure(decrypt(real, passphrase('wr0ng-secret')));
    expect(error).toMatchObject({
      code: 'refused',
      message: 'shop.tgz.gpg is not opened by the passphrase given.',
      hint: expect.stringMatching(/\w/),
    });
    expect(JSON.stringify([error, error instanceof Error ? String(error.cause) : ''])).not.toContain('wr0ng');
  });

  it('is refused without one, with the option to add', async () => {
    expect(await failure(decrypt(real, keyring()))).toMatchObject({ code: 'refused', hint: expect.stringContaining('--passphrase-file') });
  });

  it('is damaged wherever it is cut off or altered: its exit code alone does not tell', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 60, max: real.length - 1 }), fc.boolean(), async (at, cut) => {
        const altered = Buffer.from(cut ? real.subarray(0, at) : real);
        if (!cut) altered.writeUInt8(altered.readUInt8(at) ^ 4, at);
        expect(await failure(decrypt(altered, passphrase('s3cret-pass')))).toMatchObject({ code: 'damaged' });
      }),
      {
        numRuns: 12,
        examples: [
          [real.length - 1, true],
          [real.length - 1, false],
          [real.length - 20, false],
        ],
      },
    );
  });

  it('is damaged where it is cut off before there is anything to decrypt, or nothing is encrypted', async () => {
    const literal = program('gpg', ['--batch', '--store'], 'plain', { GNUPGHOME: folder() });
    for (const bytes of [
      real.subarray(0, 10),
      Buffer.concat([real, Buffer.from('more')]),
      Buffer.concat([real.subarray(0, 15), literal]),
    ]) {
      expect(await failure(decrypt(bytes, passphrase('s3cret-pass')))).toMatchObject({ code: 'damaged' });
    }
  });

  it('that breaks while it is read is an error of what comes out, and the same one', async () => {
    const cause = new Error('the network is gone');
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield real.subarray(0, 3000);
      throw cause;
    }
    const spools = new FolderSpools(folder());
    expect(await failure(collect(decryptGpg(passphrase('s3cret-pass'), breaking(), 'x', spools)))).toBe(cause);
  });

  it('is refused on a host without gpg, with the package that brings it', async () => {
    const path = process.env['PATH'];
    const bin = folder();
    symlinkSync(program('which', ['flock']).toString().trim(), join(bin, 'flock'));
    process.env['PATH'] = bin;
    try {
      expect(await failure(decrypt(real, passphrase('s3cret-pass')))).toMatchObject({
        code: 'refused',
        hint: 'Install it: apt-get install gnupg',
      });
    } finally {
      process.env['PATH'] = path;
    }
  });
});

describe('a file that gpg encrypted for a public key', () => {
  const plain = noise(300_000);
  let forOpen: Buffer;
  let forLocked: Buffer;
  let open: string;
  let locked: string;
  let home: string;
  const homes: string[] = [];

  afterAll(() => {
    for (const place of homes) {
      program('gpgconf', ['--kill', 'gpg-agent'], '', { GNUPGHOME: place });
      rmSync(place, { recursive: true });
    }
  });

  beforeAll(() => {
    const make = (name: string, secret: string): [Buffer, string, string] => {
      const place = mkdtempSync(join(tmpdir(), 'pgbackup-gpg-'));
      homes.push(place);
      const env = { GNUPGHOME: place };
      const unlock = ['--batch', '--pinentry-mode', 'loopback', '--passphrase', secret];
      program('gpg', [...unlock, '--quick-gen-key', `${name} <${name}@example.com>`, 'future-default', 'default', 'never'], '', env);
      const bytes = program('gpg', ['--batch', '--trust-model', 'always', '-r', `${name}@example.com`, '--encrypt'], plain, env);
      return [bytes, program('gpg', [...unlock, '--armor', '--export-secret-keys'], '', env).toString(), place];
    };
    [forOpen, open, home] = make('open', '');
    [forLocked, locked] = make('locked', 'k3y-secret');
  });

  it('opens with the secret key, beside whatever else the identity file holds', async () => {
    const identities = await parseIdentities(`# a comment\n${open}\n`);
    expect((await decrypt(forOpen, keyring(...identities))).equals(plain)).toBe(true);
  });

  it('opens with a secret key that has a passphrase, and with that', async () => {
    const identities = await parseIdentities(locked);
    expect((await decrypt(forLocked, { identities, passphrase: 'k3y-secret' })).equals(plain)).toBe(true);
    expect(await failure(decrypt(forLocked, { identities, passphrase: 'wr0ng' }))).toMatchObject({
      code: 'refused',
      message: expect.stringContaining('is not opened by the passphrase given'),
    });
    expect(await failure(decrypt(forLocked, keyring(...identities)))).toMatchObject({
      code: 'refused',
      hint: expect.stringContaining('--passphrase-file'),
    });
  });

  it('opens with the keyring of this user', async () => {
    const before = process.env['GNUPGHOME'];
    process.env['GNUPGHOME'] = home;
    try {
      expect((await decrypt(forOpen, keyring())).equals(plain)).toBe(true);
    } finally {
      if (before === undefined) delete process.env['GNUPGHOME'];
      else process.env['GNUPGHOME'] = before;
    }
  });

  it('is refused where there is no such key, naming it and the way to bring it', async () => {
    const identities = await parseIdentities(locked);
    expect(await failure(decrypt(forOpen, keyring(...identities)))).toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/is encrypted \(gpg\) for the key [0-9A-F]{16}, and the key given is another/),
      hint: expect.stringMatching(/gpg --armor --export-secret-keys [0-9A-F]{16} > key.asc; then here: --identity key.asc/),
    });
  });

  it('is damaged where it is cut off or altered', async () => {
    const identities = await parseIdentities(open);
    for (const bytes of [
      forOpen.subarray(0, -1),
      forOpen.subarray(0, 200_000),
      forOpen.subarray(0, 40),
      Buffer.concat([forOpen.subarray(0, -9), noise(9)]),
    ]) {
      expect(await failure(decrypt(bytes, keyring(...identities)))).toMatchObject({ code: 'damaged' });
    }
  });
});
