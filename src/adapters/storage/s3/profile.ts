import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { messageOf, PgbackupError } from '../../../domain/errors.ts';
import type { S3Auth } from '../../../domain/s3-config.ts';
import type { S3Keys } from './credentials.ts';

/** Bytes of a file of profiles: far above any that a person keeps. */
const fileLimit = 64 * 1024;

/** Settings by which others find keys: by running a program, or by asking hosts that nobody named to us. */
const elsewhere = /^(?:credential_process|credential_source|role_arn|source_profile|web_identity_token_file|login_session|sso_\w+)$/;

/**
 * The static keys of a profile. Read here and not by the SDK, whose provider runs the programs and asks the hosts that
 * such a file names: whoever may write the file would then act as user dokku.
 * @throws PgbackupError storage, with the names of file, profile and settings, and nothing else of the file.
 */
export async function profileKeys(storage: string, profile: Extract<S3Auth, { kind: 'profile' }>): Promise<S3Keys> {
  const file = profile.file ?? join(homedir(), '.aws/credentials');
  const settings = sectionOf(await readProfiles(storage, profile.name, file), profile.name);
  const fail = (why: string, hint: string): PgbackupError => noProfileKeys(storage, profile.name, file, why, hint);
  if (!settings) throw fail(`there is no section [${profile.name}]`, 'Add the section to the file, or name another profile');
  const followed = [...settings.keys()].filter((name) => elsewhere.test(name));
  if (followed.length > 0) {
    throw fail(
      `it has ${followed.join(', ')}, and static keys alone are read from a profile`,
      `Set the storage up anew with --use-iam, or without --profile and with keys by pgbackup:storage-auth: dokku pgbackup:storage-create ${storage} s3 … --replace`,
    );
  }
  const text = (name: string): string | undefined => {
    const value = settings.get(name);
    if (value === undefined || value === '') return undefined;
    if (/^[\x21-\x7e]+$/.test(value)) return value;
    throw fail(`its ${name} holds signs that no key has`, 'Copy the keys into the file once more');
  };
  const [accessKeyId, secretAccessKey] = [text('aws_access_key_id'), text('aws_secret_access_key')];
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const missing = accessKeyId === undefined ? 'aws_access_key_id' : 'aws_secret_access_key';
    throw fail(`it has no ${missing}`, 'A profile needs aws_access_key_id and aws_secret_access_key');
  }
  return { accessKeyId, secretAccessKey, sessionToken: text('aws_session_token') };
}

async function readProfiles(storage: string, profile: string, file: string): Promise<string> {
  const fail = (why: string, cause?: unknown): PgbackupError =>
    noProfileKeys(storage, profile, file, why, 'It must be a file of profiles that user dokku can read', cause);
  const bytes = Buffer.alloc(fileLimit + 1);
  let length = 0;
  try {
    // A FIFO would otherwise keep us until somebody writes to it.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await handle.stat()).isFile()) throw fail('it is no regular file');
    for (;;) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length);
      length += bytesRead;
      if (bytesRead === 0) break;
    }
  } catch (cause) {
    if (cause instanceof PgbackupError) throw cause;
    throw fail(`the file cannot be read: ${messageOf(cause)}`, cause);
  }
  if (length > fileLimit) throw fail(`the file has more than ${fileLimit / 1024} KiB`);
  return bytes.toString('utf8', 0, length);
}

/** Settings of [name] and [profile name], the later ones first in rank; undefined: there is no such section. */
function sectionOf(text: string, profile: string): Map<string, string> | undefined {
  let settings: Map<string, string> | undefined;
  let inside = false;
  let nested = false;
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const content = (line.split(/(?:^|\s)[;#]/)[0] ?? '').trim();
    if (content === '') continue;
    const section = /^\[\s*(?:profile\s+)?(["']?)([^"'\]]*?)\1\s*\]$/.exec(content);
    if (section || content.startsWith('[')) {
      inside = section?.[2] === profile;
      nested = false;
      if (inside) settings ??= new Map();
      continue;
    }
    const setting = /^([^=\s]+)\s*=\s*(.*)$/.exec(content);
    if (!inside || !setting) continue;
    // What is indented under a setting without a value belongs to that one.
    if (nested && /^\s/.test(line)) continue;
    const [, name = '', value = ''] = setting;
    nested = value === '';
    settings?.set(name.toLowerCase(), value);
  }
  return settings;
}

function noProfileKeys(storage: string, profile: string, file: string, why: string, hint: string, cause?: unknown): PgbackupError {
  return new PgbackupError('storage', `Storage ${storage}: profile ${profile} in ${file} gives no keys: ${why}`, {
    hint,
    ...(cause !== undefined && { cause }),
  });
}
