import { createStorage } from '../../app/storage-setup.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { presetFor, providers, type Provider } from '../../domain/s3-presets.ts';
import { parseS3Config, s3Warnings, type S3Auth } from '../../domain/s3-config.ts';
import { isAbsolutePlace } from '../../domain/place.ts';
import type { StorageConfig } from '../../domain/storage-config.ts';
import { parseStorageName } from '../../domain/storage-name.ts';
import { parseNumber } from '../parse.ts';
import { formatOption, type Arguments, type CommandSpec } from '../spec.ts';

const s3Options = [
  { flags: '--bucket <bucket>', summary: 's3: the bucket; it must be there' },
  { flags: '--prefix <prefix>', summary: 's3: a path inside the bucket' },
  { flags: '--provider <provider>', summary: `s3: what is special about it: ${providers.join(', ')}` },
  { flags: '--endpoint <url>', summary: "s3: the server; default: Amazon's for the region" },
  { flags: '--region <region>', summary: 's3: its region; some providers have but one' },
  { flags: '--use-iam', summary: 's3: the IAM role of the instance, in place of keys' },
  { flags: '--profile <name>', summary: 's3: a profile of ~dokku/.aws/credentials, in place of keys' },
  { flags: '--profile-file <path>', summary: 's3: another file of profiles' },
  { flags: '--path-style', summary: 's3: the bucket in the path and not in the name of the host' },
  { flags: '--virtual-host', summary: 's3: the bucket in the name of the host' },
  { flags: '--storage-class <class>', summary: 's3: for example STANDARD_IA' },
  { flags: '--sse <kind>', summary: 's3: server-side encryption: AES256 or aws:kms' },
  { flags: '--kms-key <id>', summary: 's3: the key for aws:kms' },
  { flags: '--lock-days <days>', summary: 's3: object lock: nobody deletes a backup before' },
  { flags: '--lock-mode <mode>', summary: 's3: GOVERNANCE (default) or COMPLIANCE' },
  { flags: '--ca-file <path>', summary: 's3: a certificate authority of your own' },
  { flags: '--max-parts <count>', summary: 's3: parts that the provider takes for one object (default 10000)' },
  { flags: '--part-size <MiB>', summary: 's3: size of a part; default: by the size of the database' },
  { flags: '--checksums <mode>', summary: 's3: when-required (default) or when-supported' },
];

export const storageCreate: CommandSpec = {
  verb: 'storage-create',
  args: '<name> <kind>',
  summary: 'Set up a storage for backups',
  details:
    'The kind is local (a directory of this host) or s3 (a bucket of any provider that speaks S3). Keys are given afterwards, on standard input, ' +
    'to pgbackup:storage-auth. What the storage can do is found by pgbackup:storage-check. Backups go there once it is named in the setting storages.',
  options: [
    { flags: '--path <path>', summary: 'local: the directory' },
    ...s3Options,
    { flags: '--replace', summary: 'set up anew one that is there; its keys stay' },
    formatOption,
  ],
  examples: [
    'dokku pgbackup:storage-create offsite s3 --bucket my-backups --prefix prod --endpoint https://s3.example.com --region eu-1',
    'dokku pgbackup:storage-create archive s3 --bucket my-backups --provider amazon --region eu-central-1 --use-iam',
    'dokku pgbackup:storage-create second local --path /mnt/backups',
  ],
  run: async ({ output, ports: open }, args) => {
    const name = parseStorageName(args.required(0));
    const kind = args.required(1);
    if (kind !== 'local' && kind !== 's3')
      throw new PgbackupError('usage', `There is no kind of storage "${kind}"`, { hint: 'Kinds: local, s3' });
    const config = kind === 'local' ? localConfig(args) : s3Config(args, name);
    const ports = await open();
    await createStorage(ports, name, config, args.flag('replace'));
    if (config.kind === 's3') for (const warning of s3Warnings(config)) output.warn(warning);
    if (output.options.json) return output.json({ name, ...config });
    output.result(`Storage ${name} is set up`, [
      ['Lies in', ports.storages.open(name, undefined).place],
      ...(config.kind === 's3' && config.auth.kind === 'keys' && ports.storages.keyId(name) === undefined
        ? [['Its keys', `printf 'KEY\\nSECRET\\n' | dokku pgbackup:storage-auth ${name}`] as const]
        : []),
      ['Try it', `dokku pgbackup:storage-check ${name}`],
      ['Use it', `dokku pgbackup:set <target> storages local,${name}`],
    ]);
  },
};

function localConfig(args: Arguments): StorageConfig {
  for (const { flags } of s3Options) {
    const option = flags.slice(2).split(' ')[0] ?? '';
    if (args.text(camel(option)) !== undefined || args.flag(camel(option)))
      throw new PgbackupError('usage', `--${option} is for s3, and the kind is local`);
  }
  const path = args.text('path');
  if (path === undefined) throw new PgbackupError('usage', 'Name its directory', { hint: '--path /mnt/backups' });
  if (!isAbsolutePlace(path)) {
    throw new PgbackupError('usage', `"${path}" is not a usable path`, {
      hint: 'Give an absolute path without "..", colon or comma, on a disk that user dokku can write to',
    });
  }
  return { kind: 'local', path };
}

function s3Config(args: Arguments, name: string): StorageConfig {
  if (args.text('path') !== undefined) throw new PgbackupError('usage', '--path is for local, and the kind is s3');
  const bucket = args.text('bucket') ?? missing('--bucket <bucket>');
  if (args.flag('pathStyle') && args.flag('virtualHost')) throw new PgbackupError('usage', 'Give either --path-style or --virtual-host');
  const provider = providerOf(args.text('provider'));
  const endpoint = args.text('endpoint');
  const preset = presetFor(provider, { region: args.text('region') ?? (endpoint === undefined ? undefined : 'us-east-1'), endpoint });
  // A server of one's own seldom has a name for each bucket.
  const pathStyle = preset.pathStyle || (provider === undefined && endpoint !== undefined);
  return parseS3Config(
    {
      ...preset,
      bucket,
      prefix: args.text('prefix')?.replace(/^\/+|\/+$/g, '') ?? '',
      pathStyle: args.flag('pathStyle') || (pathStyle && !args.flag('virtualHost')),
      storageClass: args.text('storageClass') ?? null,
      sse: args.text('sse') ?? null,
      kmsKeyId: args.text('kmsKey') ?? null,
      lockDays: parseNumber(args.text('lockDays'), '--lock-days', 1, 36_500) ?? null,
      lockMode: args.text('lockMode') ?? preset.lockMode,
      caFile: args.text('caFile') ?? null,
      maxParts: parseNumber(args.text('maxParts'), '--max-parts', 2, 10_000) ?? preset.maxParts,
      partSize: parseNumber(args.text('partSize'), '--part-size', 5, 1024) ?? null,
      checksums: args.text('checksums') ?? preset.checksums,
      auth: authOf(args),
    },
    name,
  );
}

/** @throws PgbackupError usage. */
function providerOf(word: string | undefined): Provider | undefined {
  const found = providers.find((name) => name === word);
  if (word === undefined || found !== undefined) return found;
  throw new PgbackupError('usage', `There is no provider "${word}"`, {
    hint: `There are: ${providers.join(', ')}. Any other that speaks S3: --endpoint and --region without --provider`,
  });
}

function authOf(args: Arguments): S3Auth {
  const profile = args.text('profile');
  const file = args.text('profileFile') ?? null;
  if (profile === undefined && file !== null) throw new PgbackupError('usage', '--profile-file goes with --profile <name>');
  if (!args.flag('useIam')) return profile === undefined ? { kind: 'keys' } : { kind: 'profile', name: profile, file };
  if (profile !== undefined) throw new PgbackupError('usage', 'Give either --use-iam or --profile');
  return { kind: 'iam' };
}

function missing(option: string): never {
  throw new PgbackupError('usage', `An s3 storage needs ${option}`);
}

function camel(option: string): string {
  return option.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
