import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PgbackupError } from '../../domain/errors.ts';
import type { Keyring, Spools } from '../../ports.ts';
import { run, startWithSecret, type RunResult } from '../process.ts';
import { isPgpKey } from './identities.ts';
import { Lookahead } from './lookahead.ts';

/**
 * `--no-options`: a gpg.conf with ignore-mdc-error would let damage pass. `--skip-verify`: who signed it is not asked,
 * and a signature of somebody unknown would end in exit code 2.
 */
const OPTIONS = ['--batch', '--no-tty', '--no-options', '--skip-verify', '--pinentry-mode', 'loopback', '--passphrase-fd', '3'];

/** Enough for the first base64 of ASCII armor with its headers. */
const HEAD = 1024;

/**
 * What a file of gpg holds, decrypted by the host's gpg: one encrypted with a passphrase (as dokku-postgres does it)
 * in a keyring of its own; one for a public key with the secret key given, else with the keyring of this user.
 * @throws PgbackupError refused, for want of gpg, key or passphrase; damaged. Errors of the input come through unchanged.
 */
export async function* decryptGpg(
  keys: Keyring,
  input: AsyncIterable<Uint8Array>,
  name: string,
  spools: Pick<Spools, 'open'>,
): AsyncGenerator<Buffer> {
  await using file = new Lookahead(input);
  const symmetric = isSymmetric(await file.peek((head) => head.length >= HEAD));
  const secretKeys = keys.identities.filter(isPgpKey);
  if (symmetric && keys.passphrase === undefined) {
    throw new PgbackupError('refused', `${name} is encrypted with a passphrase (gpg), and none was given.`, {
      hint: 'Put it into a file of one line, and add: --passphrase-file <file>',
    });
  }
  // In the spool: what a killed process leaves of a secret key is removed by the next operation.
  await using home = symmetric || secretKeys.length > 0 ? await Home.make(spools) : undefined;
  for (const key of secretKeys) await home?.take(key);
  const child = startWithSecret('gpg', [...OPTIONS, '--status-fd', '4', '--decrypt'], `${keys.passphrase ?? ''}\n`, home?.env ?? {});
  const fed = pipeline(file.rest(), child.stdin).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  try {
    yield* child.stdout as Readable & AsyncIterable<Buffer>;
    const result = await child.done;
    const report = await child.report;
    const unfed = await fed;
    // What the input says of itself goes before what gpg makes of half an input; but gpg may also have stopped reading.
    if (unfed && !isClosedPipe(unfed.error)) throw unfed.error;
    // All three: for want of any packet to decrypt gpg exits 0 (seen with 2.2.40 and a file cut off in its first packet).
    if (result.exitCode === 0 && !unfed && says(report, 'DECRYPTION_OKAY') && says(report, 'GOODMDC')) return;
    throw explain(result, report, keys, name, symmetric);
  } catch (error) {
    throw isMissingProgram(error) ? noGpg(name, error) : error;
  } finally {
    child.kill();
  }
}

/** A keyring that is gone afterwards. */
class Home implements AsyncDisposable {
  readonly #folder: AsyncDisposable & { readonly path: string };
  #agent = false;

  private constructor(folder: AsyncDisposable & { readonly path: string }) {
    this.#folder = folder;
  }

  static async make(spools: Pick<Spools, 'open'>): Promise<Home> {
    return new Home(await spools.open(`gpg-${randomBytes(4).toString('hex')}`));
  }

  get env(): Readonly<Record<string, string>> {
    return { GNUPGHOME: this.#folder.path };
  }

  /** Adds a secret key. @throws PgbackupError usage. */
  async take(key: string): Promise<void> {
    this.#agent = true;
    const { exitCode } = await run('gpg', ['--batch', '--no-tty', '--no-options', '--quiet', '--import'], { env: this.env, input: key });
    if (exitCode !== 0) {
      throw new PgbackupError('usage', 'The secret key of gpg that was given cannot be read by gpg', {
        hint: 'It is what this writes: gpg --armor --export-secret-keys <key> > key.asc',
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Secret keys are used by an agent that gpg leaves behind.
    if (this.#agent) await run('gpgconf', ['--kill', 'gpg-agent'], { env: this.env }).catch(() => {});
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** Whether a passphrase opens it: its first packet is of tag 3 then, and of tag 1 where a public key was used. */
function isSymmetric(head: Buffer): boolean {
  const text = head.toString('latin1');
  const armored = /^-----BEGIN PGP MESSAGE-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n([A-Za-z0-9+/]{4})/.exec(text)?.[1];
  const first = (armored === undefined ? head : Buffer.from(armored, 'base64'))[0] ?? 0;
  const tag = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f;
  return tag === 3;
}

function says(report: string, word: string): boolean {
  return report.split('\n').some((line) => line === `[GNUPG:] ${word}` || line.startsWith(`[GNUPG:] ${word} `));
}

function explain(result: RunResult, report: string, keys: Keyring, name: string, symmetric: boolean): PgbackupError {
  const cause = new Error(`gpg: exit code ${result.exitCode ?? 'none'}: ${result.stderr.trim()}`);
  if (isBadPassphrase(report) || (/No passphrase given|Bad passphrase/i.test(result.stderr) && !says(report, 'PLAINTEXT'))) {
    if (symmetric) {
      return new PgbackupError('refused', `${name} is not opened by the passphrase given.`, {
        hint: 'The first line of the passphrase file counts, spaces included',
        cause,
      });
    }
    return keys.passphrase === undefined
      ? new PgbackupError('refused', `The secret key that opens ${name} has a passphrase, and none was given.`, {
          hint: 'Put it into a file of one line, and add: --passphrase-file <file>',
          cause,
        })
      : new PgbackupError('refused', `The secret key that opens ${name} is not opened by the passphrase given.`, { cause });
  }
  const [, keyId] = /^\[GNUPG:\] NO_SECKEY ([0-9A-F]+)/m.exec(report) ?? [];
  if (keyId !== undefined && !says(report, 'DECRYPTION_INFO')) {
    const where = keys.identities.some(isPgpKey) ? 'the key given is another' : 'the keyring of this user has no such key';
    return new PgbackupError('refused', `${name} is encrypted (gpg) for the key ${keyId}, and ${where}.`, {
      hint: `Where that key is: gpg --armor --export-secret-keys ${keyId} > key.asc; then here: --identity key.asc`,
      cause,
    });
  }
  const reason = result.stderr
    .split('\n')
    .map((line) => line.replace(/^gpg: /, '').trim())
    .findLast((line) => line !== '');
  return new PgbackupError('damaged', `${name} is damaged (gpg): ${(reason ?? 'it ends too early').replace(/[\s.:;]+$/, '')}.`, {
    hint: 'Take another copy of it; what there is of this one is not restored.',
    cause,
  });
}

/** Reported as a name (`11_BAD_PASSPHRASE`), or as a number with the part of gpg that found it in its upper half. */
function isBadPassphrase(report: string): boolean {
  const errors = report.matchAll(/^\[GNUPG:\] ERROR \S+ (\d+)(?:_BAD_PASSPHRASE)?/gm);
  return errors.some(([, code]) => (Number(code) & 0xffff) === 11);
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(error.code));
}

function isMissingProgram(error: unknown): boolean {
  const cause = error instanceof PgbackupError ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

function noGpg(name: string, cause: unknown): PgbackupError {
  return new PgbackupError('refused', `${name} is encrypted with gpg, and this host has no gpg program.`, {
    hint: 'Install it: apt-get install gnupg',
    cause,
  });
}
