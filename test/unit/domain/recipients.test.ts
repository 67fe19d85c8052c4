import { describe, expect, it } from 'vitest';
import { parseRecipients } from '../../../src/domain/recipients.ts';
import { failure } from '../source/helpers.ts';

const one = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
const two = 'age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg';
const quantum = `age1pq1${'q'.repeat(1952)}`;

describe('recipients', () => {
  it.each([
    [one, [one]],
    [`${one},${two}`, [one, two]],
    [`  ${one} ,\n${two},`, [one, two]],
    [`${two} ${one} ${two}`, [two, one]],
    [one.toUpperCase(), [one]],
    [quantum, [quantum]],
  ])('are read from %j', (value, expected) => expect(parseRecipients(value)).toEqual(expected));

  it.each([
    ['nothing', ' , ', /No recipient/],
    ['a part of one', one.slice(0, -3), /not a whole recipient: 59 characters/],
    ['one with a letter that none has', one.replace('ql', 'bl'), /not a whole recipient/],
    ['a plugin', 'age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t', /age plugin .*\(yubikey\)/],
    ['hardware', `age1tag1${'q'.repeat(60)}`, /\(tag\)/],
    ['an SSH key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN me@laptop', /SSH keys cannot/],
    ['an SSH key beside another', `${one}, ssh-rsa AAAA`, /SSH keys cannot/],
    ['kinds that undo each other', `${one},${quantum}`, /cannot be mixed/],
    ['a file', './recipients.txt', /give the key itself/],
    ['a page', 'https://example.com/keys', /give the key itself/],
  ])('are not %s, and the message says what to do', async (_, value, message) => {
    expect(await failure(() => parseRecipients(value))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/\w/),
    });
  });

  it.each([
    ['a secret key', 'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX', 'GFPYYSJ'],
    ['a secret key in small letters, after another', `${one} age-secret-key-1gfpyysjzgfpyysj`, 'gfpyysj'],
    ['a post-quantum secret key', 'AGE-SECRET-KEY-PQ-1GFPYYSJZGFPYYSJ', 'GFPYYSJ'],
    ['a private key of SSH', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n', 'b3Blbn'],
    ['what may be a passphrase', 'correct-horse-battery', 'horse'],
  ])('are not %s, which the message does not repeat', async (_, value, secret) => {
    const error = await failure(() => parseRecipients(value));
    expect(error.code).toBe('usage');
    expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toContain(secret);
  });
});
