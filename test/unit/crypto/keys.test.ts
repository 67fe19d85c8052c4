import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readKeyFile } from '../../../src/adapters/source/key-file.ts';
import { asOrdinaryUser, openToEverybody } from '../../tools/ordinary-user.ts';
import { failure } from '../source/helpers.ts';
import { age, folder, keyPair } from './helpers.ts';

describe('an identity file', () => {
  it('is what age-keygen makes, also several in one, with comments', async () => {
    const [one, two] = [keyPair(), keyPair()];
    const identities = await age.parseIdentities(`${one.file}\r\n\n# the other one\n  ${two.identity}\r\n${one.identity}\n`);
    expect(identities).toEqual([one.identity, two.identity]);
    expect(await age.recipientsOf(identities)).toEqual([one.recipient, two.recipient]);
  });

  it.each([
    ['empty', '# created: today\n', /holds no secret key/],
    ['a public key', 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p', /Line 1 .* opens nothing/],
    ['cut off', '# x\nAGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZ', /Line 2 .* not a whole secret key/],
    ['altered', 'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEQ', /not a whole secret key/],
    ['of a plugin', 'AGE-PLUGIN-YUBIKEY-1QYQSQYQGPYYSJZ', /age plugin/],
    ['an SSH key', '-----BEGIN OPENSSH PRIVATE KEY-----\nGFPYYSJb3Blbn\n-----END OPENSSH PRIVATE KEY-----', /SSH keys are not known/],
    ['encrypted', 'age-encryption.org/v1\n-> scrypt GFPYYSJ 18\n', /itself encrypted/],
    ['encrypted, in armor', '-----BEGIN AGE ENCRYPTED FILE-----\nGFPYYSJ\n', /itself encrypted/],
    ['something else', 'GFPYYSJ\n', /is not a secret key of age/],
  ])('that is %s is refused, without a letter of it', async (_, text, message) => {
    const error = await failure(() => age.parseIdentities(text));
    expect(error).toMatchObject({ code: 'usage', message: expect.stringMatching(message), hint: expect.stringMatching(/\w/) });
    expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toContain('GFPYYSJ');
  });
});

describe('checkRecipients', () => {
  it('accepts what age-keygen prints, and names the one with a wrong letter', async () => {
    const { recipient } = keyPair();
    await age.checkRecipients([recipient]);
    const wrong = recipient.replace(/.$/, (last) => (last === 'q' ? 'p' : 'q'));
    expect(await failure(() => age.checkRecipients([recipient, wrong]))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining(wrong),
    });
    expect(await failure(() => age.checkRecipients(['ssh-ed25519 AAAA']))).toMatchObject({ code: 'usage' });
  });
});

describe('readKeyFile', () => {
  it('gives the text, and tells where everybody can read it', async () => {
    const path = join(folder(), 'key.txt');
    writeFileSync(path, 'secret\n', { mode: 0o600 });
    expect(await readKeyFile(path)).toEqual({ text: 'secret\n', readableByOthers: false });
    chmodSync(path, 0o644);
    expect(await readKeyFile(path)).toEqual({ text: 'secret\n', readableByOthers: true });
  });

  it('refuses what is missing, a directory, or far too large for a key', async () => {
    const place = folder();
    expect(await failure(() => readKeyFile(join(place, 'none')))).toMatchObject({ code: 'not-found' });
    mkdirSync(join(place, 'dir'));
    expect(await failure(() => readKeyFile(join(place, 'dir')))).toMatchObject({ code: 'usage' });
    writeFileSync(join(place, 'dump'), Buffer.alloc(65 * 1024));
    expect(await failure(() => readKeyFile(join(place, 'dump')))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('64 KiB'),
    });
  });

  it('says how to hand in a key that only root can read', async () => {
    const place = folder();
    const path = join(place, "root's key.txt");
    writeFileSync(path, 'secret\n');
    openToEverybody(place);
    chmodSync(path, 0o000);
    expect(await asOrdinaryUser(() => failure(() => readKeyFile(path)))).toMatchObject({
      code: 'refused',
      hint: expect.stringContaining(`give - as the file, and add: < '${place}/root'\\''s key.txt'`),
    });
  });
});
