import { PgbackupError } from '../../../domain/errors.ts';
import type { S3Auth } from '../../../domain/s3-config.ts';

/** What signs requests. Never in a message, a log or the environment of another program. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** When they end; undefined: never, as far as anybody knows. */
  readonly expiration?: Date | undefined;
}

/** Keys that are renewed before they end. */
export interface CredentialSource {
  get(): Promise<S3Keys>;
  /** Forgets what it has; false where asking again would give the same. */
  renew(): boolean;
}

/** Renewed so long before their end: a part of an upload is signed when it begins. */
const marginMilliseconds = 5 * 60 * 1000;

/**
 * @param keys what pgbackup:storage-auth was given; undefined: nothing yet.
 * @param metadataEndpoint of the instance metadata service, for tests; default: the address that AWS gives it.
 */
export function openCredentials(auth: S3Auth, keys: S3Keys | undefined, storage: string, metadataEndpoint?: string): CredentialSource {
  switch (auth.kind) {
    case 'keys':
      return {
        get: async () => keys ?? Promise.reject(noKeys(storage)),
        renew: () => false,
      };
    case 'iam':
      return renewing(() => fromInstance(storage, metadataEndpoint));
    case 'profile':
      return renewing(async () => (await import('./profile.ts')).profileKeys(storage, auth));
  }
}

function renewing(load: () => Promise<S3Keys>): CredentialSource {
  let loaded: S3Keys | undefined;
  let loading: Promise<S3Keys> | undefined;
  return {
    get: async () => {
      if (loaded && lastsFor(loaded, marginMilliseconds)) return loaded;
      loading ??= load().finally(() => (loading = undefined));
      try {
        loaded = await loading;
      } catch (error) {
        if (!loaded || !lastsFor(loaded, 0)) throw error;
      }
      return loaded;
    },
    renew: () => {
      loaded = undefined;
      return true;
    },
  };
}

function lastsFor(keys: S3Keys, milliseconds: number): boolean {
  return keys.expiration === undefined || keys.expiration.getTime() - Date.now() > milliseconds;
}

/**
 * The SDK's provider reads AWS_* variables, and root's come along through sudo: a backup must not go with the keys,
 * region or metadata address of whoever typed the command.
 */
function forgetEnvironment(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
}

async function fromInstance(storage: string, endpoint: string | undefined): Promise<S3Keys> {
  forgetEnvironment();
  // Also not the configuration file of whoever's HOME this is.
  process.env['AWS_CONFIG_FILE'] = '/dev/null';
  if (endpoint !== undefined) process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = endpoint;
  const { fromInstanceMetadata } = await import('@smithy/credential-provider-imds');
  try {
    return await fromInstanceMetadata({ timeout: 2000, maxRetries: 2, ec2MetadataV1Disabled: true })();
  } catch (cause) {
    throw new PgbackupError(
      'storage',
      `Storage ${storage}: this host's metadata service gives no keys of an IAM role: ${whyNoRole(cause)}`,
      {
        cause,
        hint: 'Is this an EC2 instance with a role (aws ec2 describe-iam-instance-profile-associations)? In a container the hop limit of IMDSv2 must be 2. Otherwise give keys: dokku pgbackup:storage-auth',
      },
    );
  }
}

/** What the SDK says where nothing answers is about a setting of its own. */
function whyNoRole(cause: unknown): string {
  const said = firstLine(cause);
  return said.includes('v1 fallback') ? 'nothing there answers as IMDSv2' : said;
}

function noKeys(storage: string): PgbackupError {
  return new PgbackupError('storage', `Storage ${storage} has no keys yet`, {
    hint: `Give them on standard input: printf 'KEY\\nSECRET\\n' | dokku pgbackup:storage-auth ${storage}`,
  });
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
}
