import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeFifo } from '../../../src/adapters/fifo.ts';
import { type CredentialSource, openCredentials } from '../../../src/adapters/storage/s3/credentials.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { failure } from '../../tools/bytes.ts';

const keys = 'aws_access_key_id = AKIA1\naws_secret_access_key = s3cr3t+/=\n';

describe('a profile of a file', () => {
  let folder = '';
  let file = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pgbackup-profile-'));
    file = join(folder, 'credentials');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  const opened = (path: string | null = file): CredentialSource =>
    openCredentials({ kind: 'profile', name: 'backup', file: path }, undefined, 'offsite');

  /** Message and hint of the refusal of this text as a file. */
  async function refused(text?: string | Uint8Array): Promise<string> {
    if (text !== undefined) writeFileSync(file, text);
    const error = await failure(opened().get());
    if (!(error instanceof PgbackupError) || error.code !== 'storage') throw error;
    expect(error.message).toContain(`Storage offsite: profile backup in ${file} gives no keys: `);
    return `${error.message}\n${error.hint ?? ''}`;
  }

  it.each([
    ['[name]', `[default]\naws_access_key_id=other\naws_secret_access_key=other\n[backup]\n${keys}[backup2]\naws_access_key_id=x\n`],
    ['[profile name]', `[profile other]\n${keys.replaceAll('1', '2')}\n[profile backup]\n${keys}`],
    ['[profile "name"], Windows line ends, comments', `\uFEFF# mine\r\n[profile "backup"] ; x\r\n${keys.replaceAll('\n', ' # note\r\n')}`],
    ['nested settings', `[backup]\ns3 =\n  aws_access_key_id = nested\n  role_arn = nested\n${keys}`],
  ])('is found as %s', async (_, text) => {
    writeFileSync(file, text);
    expect(await opened().get()).toEqual({ accessKeyId: 'AKIA1', secretAccessKey: 's3cr3t+/=', sessionToken: undefined });
  });

  it('is looked for in the home of the user, and may have a session token', async () => {
    vi.stubEnv('HOME', folder);
    mkdirSync(join(folder, '.aws'));
    writeFileSync(join(folder, '.aws/credentials'), `[backup]\n${keys}aws_session_token = token==\n`);
    expect(await opened(null).get()).toMatchObject({ accessKeyId: 'AKIA1', sessionToken: 'token==' });
  });

  it('is read again when its keys are called expired', async () => {
    writeFileSync(file, `[backup]\n${keys}`);
    const source = opened();
    await source.get();
    writeFileSync(file, `[backup]\n${keys.replace('AKIA1', 'AKIA2')}`);
    expect(await source.get()).toMatchObject({ accessKeyId: 'AKIA1' });
    expect(source.renew()).toBe(true);
    expect(await source.get()).toMatchObject({ accessKeyId: 'AKIA2' });
  });

  it('runs no program that the file names', async () => {
    const mark = join(folder, 'ran');
    expect(await refused(`[backup]\ncredential_process = /usr/bin/touch ${mark}\n`)).toMatch(
      /it has credential_process, and static keys alone/,
    );
    expect(existsSync(mark)).toBe(false);
  });

  it.each(['role_arn', 'source_profile', 'web_identity_token_file', 'sso_session', 'sso_start_url', 'credential_process', 'Role_ARN'])(
    'with %s is refused although it has keys, with what to do instead',
    async (name) => {
      const said = await refused(`[backup]\n${keys}${name} = hidden-value\n`);
      expect(said).toContain(`it has ${name.toLowerCase()}, and`);
      expect(said).toMatch(/--use-iam.*pgbackup:storage-auth.*storage-create offsite/);
      expect(said).not.toMatch(/hidden|AKIA|s3cr/);
    },
  );

  it.each<[string, string, RegExp]>([
    ['no section', `[other]\n${keys}`, /there is no section \[backup\]/],
    ['no text of that kind', `s3cr3t\n{"AKIA": 1}\n`, /there is no section \[backup\]/],
    ['no secret', `[backup]\naws_access_key_id = AKIA1\n`, /it has no aws_secret_access_key/],
    ['no key id', `[backup]\naws_access_key_id =\naws_secret_access_key = s3cr3t\n`, /it has no aws_access_key_id/],
    [
      'a secret that cannot be one',
      `[backup]\naws_access_key_id = A\naws_secret_access_key = s3cr3t ü\n`,
      /its aws_secret_access_key holds signs/,
    ],
  ])('with %s is told by names alone', async (_, text, said) => {
    expect(await refused(text)).toMatch(said);
    expect(await refused(text)).not.toMatch(/s3cr3t|AKIA/);
  });

  it('in a file that is missing, a directory, a FIFO or too large is told so', async () => {
    expect(await refused()).toMatch(/cannot be read: .*ENOENT[\s\S]*user dokku can read/);
    expect(await refused(`[backup]\n${keys}${'#'.repeat(64 * 1024)}`)).toMatch(/more than 64 KiB/);
    rmSync(file);
    mkdirSync(file);
    expect(await refused()).toMatch(/no regular file/);
    rmSync(file, { recursive: true });
    await makeFifo(file);
    expect(await refused()).toMatch(/no regular file/);
  });
});
