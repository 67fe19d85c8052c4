import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { AgeEncryption } from '../../../src/adapters/crypto/age.ts';
import type { EncryptionTarget, Keyring } from '../../../src/ports.ts';
import { chunksOf } from '../../tools/bytes.ts';

export const age = new AgeEncryption();

/** Which Debian package brings a program that these tests compare with. */
const packages = { age: 'age', 'age-keygen': 'age', gpg: 'gnupg', gpgconf: 'gnupg', script: 'bsdutils', which: 'debianutils' } as const;

/** A folder that is gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'pgbackup-crypto-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs one of those programs, which must succeed. @throws Error naming the package, where it is missing. */
export function program(name: keyof typeof packages, args: readonly string[], input: Uint8Array | string = '', env = {}): Buffer {
  const done = spawnSync(name, args, { input, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...env } });
  if (done.error && 'code' in done.error && done.error.code === 'ENOENT') {
    throw new Error(`This test compares with the program ${name}: apt-get install ${packages[name]}`);
  }
  if (done.status !== 0) throw new Error(`${name} failed: ${done.stderr.toString()}`);
  return done.stdout;
}

/** A new key of the real age-keygen. */
export function keyPair(): { readonly file: string; readonly identity: string; readonly recipient: string } {
  const file = program('age-keygen', []).toString();
  const identity = /^AGE-SECRET-KEY-1.*$/m.exec(file)?.[0];
  const recipient = /# public key: (age1.*)$/m.exec(file)?.[1];
  if (identity === undefined || recipient === undefined) throw new Error('age-keygen printed no key');
  return { file, identity, recipient };
}

/** The real age, which reads identities only from files. */
export function ageDecrypts(sealed: Uint8Array, identityFile: string): Buffer {
  const path = join(folder(), 'key.txt');
  writeFileSync(path, identityFile);
  return program('age', ['-d', '-i', path], sealed);
}

/** The real age with a passphrase, which it takes from a terminal only: `script` makes one. */
export function ageWithPassphrase(direction: 'encrypt' | 'decrypt', bytes: Uint8Array, passphrase: string): Buffer {
  const place = folder();
  writeFileSync(join(place, 'in'), bytes);
  const flags = direction === 'encrypt' ? '-p' : '-d';
  const typed = direction === 'encrypt' ? `${passphrase}\n${passphrase}\n` : `${passphrase}\n`;
  program('script', ['-q', '-e', '-c', `age ${flags} -o '${place}/out' '${place}/in'`, '/dev/null'], typed);
  return readFileSync(join(place, 'out'));
}

/** A keyring of these identities. */
export function keyring(...identities: readonly string[]): Keyring {
  return { identities, passphrase: undefined };
}

export async function seal(target: EncryptionTarget | string, bytes: Uint8Array, chunk?: number): Promise<Buffer> {
  const to: EncryptionTarget = typeof target === 'string' ? { kind: 'recipients', recipients: [target] } : target;
  return collect(age.encrypt(to, chunksOf(bytes, chunk)));
}

export async function unseal(keys: Keyring, bytes: Uint8Array, chunk?: number): Promise<Buffer> {
  return collect(age.decrypt(keys, chunksOf(bytes, chunk), 'shop.age'));
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
