import { messageOf, PgbackupError } from './errors.ts';
import { formatCount } from './format.ts';
import type { LegacyBackup, LegacySchedule } from './legacy-backup.ts';
import type { ServiceName } from './names.ts';
import { parseS3Config, s3Defaults, s3Warnings, type S3Config } from './s3-config.ts';
import { checkSetting } from './settings.ts';
import type { StorageConfig } from './storage-config.ts';
import { isStorageName, localStorage, parseStorageName, parseStorageNames, type StorageName } from './storage-name.ts';

/** A storage of this host, as far as it can be read. */
export interface KnownStorage {
  readonly name: StorageName;
  readonly config: StorageConfig | undefined;
  readonly keyId: string | undefined;
}

/** What is so before anything is done. */
export interface AdoptFacts {
  readonly service: ServiceName;
  readonly legacy: LegacyBackup;
  readonly schedule: LegacySchedule;
  /** When, as it will stand in the crontab. */
  readonly cron: string;
  readonly storages: readonly KnownStorage[];
  readonly own: ReadonlyMap<string, string>;
  readonly global: ReadonlyMap<string, string>;
  /** How backups of the service are encrypted now, and whose setting says so. */
  readonly encryption: { readonly kind: 'recipients' | 'passphrase'; readonly own: boolean } | undefined;
  /** Backups of the service in `local`. */
  readonly localBackups: number;
}

/** What the person has asked for. */
export interface AdoptWishes {
  readonly storage: StorageName | undefined;
  readonly region: string | undefined;
  /** Checked; empty: none given. */
  readonly recipients: readonly string[];
  readonly withoutEncryption: boolean;
  readonly keepOld: boolean;
}

/** What will be done. It holds no secret. */
export interface AdoptPlan {
  readonly service: ServiceName;
  readonly storage: {
    readonly name: StorageName;
    readonly config: S3Config;
    /** False: there is one already that leads to the same place. */
    readonly make: boolean;
    /** It gets dokku-postgres's keys. */
    readonly writeKeys: boolean;
  };
  readonly cron: string;
  /** The new value of the setting; undefined: it is as it should be. */
  readonly storages: string | undefined;
  readonly encryption: AdoptedEncryption;
  readonly keepOld: boolean;
  /** What a person is told, label and text. */
  readonly lines: readonly (readonly [string, string])[];
  readonly warnings: readonly string[];
}

/** How the backups will be encrypted. */
export type AdoptedEncryption =
  | { readonly kind: 'none' }
  /** `set`: the new value of the setting; undefined: it is set already. */
  | { readonly kind: 'recipients'; readonly set: string | undefined }
  /** `take`: the setting gets dokku-postgres's own. */
  | { readonly kind: 'passphrase'; readonly take: boolean };

/** What is to be set up here to do what dokku-postgres does. @throws PgbackupError refused, usage. */
export function planAdoption(facts: AdoptFacts, wishes: AdoptWishes): AdoptPlan {
  const { service, schedule, cron } = facts;
  const storage = chooseStorage(facts, wishes);
  const storages = chooseStorages(facts, storage.name);
  const encryption = chooseEncryption(facts, wishes);
  return {
    service,
    storage,
    cron,
    storages,
    encryption,
    keepOld: wishes.keepOld,
    lines: [
      ['Storage', describeStorage(storage, facts)],
      ['Backups go to', describeStorages(facts, storage.name, storages)],
      ['Encryption', describeEncryption(encryption, facts, wishes)],
      ['Schedule', `"${cron}"${cron === schedule.cron ? '' : ` (there: "${schedule.cron}")`}, by the clock of this host as before`],
      ['First backup', 'now; the old schedule stays unless it is stored and proven'],
      ['Old schedule', wishes.keepOld ? 'stays (--keep-old)' : `is removed then: dokku postgres:backup-unschedule ${service}`],
      ['Old backups', `stay where they are; dokku pgbackup:list ${service} shows them, and they restore by their address`],
    ],
    warnings: warningsOf(facts, wishes, storage, storages, encryption),
  };
}

type ChosenStorage = AdoptPlan['storage'];

function chooseStorage({ service, legacy, schedule, storages }: AdoptFacts, wishes: AdoptWishes): ChosenStorage {
  if (!schedule.iam && !legacy.keys) {
    throw new PgbackupError('refused', `dokku-postgres has a schedule for ${service}, but no keys: its backups fail`, {
      hint: `Set it up here: dokku pgbackup:storage-create <name> s3 --bucket ${schedule.bucket} …, dokku pgbackup:storage-auth <name>, dokku pgbackup:schedule ${service} "${schedule.cron}"; then: dokku postgres:backup-unschedule ${service}`,
    });
  }
  const name = wishes.storage ?? nameFor(service);
  if (name === localStorage)
    throw new PgbackupError('usage', 'The storage "local" is a directory of this host', { hint: 'Give another name' });
  const known = wishes.region ?? legacy.region;
  const config = configOf(service, legacy, schedule, known);
  const leadsThere = (one: KnownStorage): S3Config | undefined =>
    one.config?.kind === 's3' && isSamePlace(one.config, config, known) ? one.config : undefined;
  const reuse = (one: KnownStorage, found: S3Config): ChosenStorage => ({
    name: one.name,
    config: found,
    make: false,
    writeKeys: found.auth.kind === 'keys' && one.keyId === undefined,
  });
  const named = storages.find((one) => one.name === name);
  if (named) {
    const found = leadsThere(named);
    if (found) return reuse(named, found);
    throw new PgbackupError('refused', `There is a storage called "${name}" already, and it leads elsewhere than to ${whereIs(config)}`, {
      hint: `Give the new one another name: --storage <name>. Or, if it is of no use, forget it first: dokku pgbackup:storage-destroy ${name}`,
    });
  }
  // Of many services in one bucket not each needs a storage of its own.
  if (wishes.storage === undefined) {
    for (const one of storages) {
      const found = leadsThere(one);
      if (found && (found.auth.kind === 'iam' || one.keyId === legacy.keys?.accessKeyId)) return reuse(one, found);
    }
  }
  return { name, config, make: true, writeKeys: config.auth.kind === 'keys' };
}

/** @throws PgbackupError usage, where no name can be made of the service's. */
function nameFor(service: ServiceName): StorageName {
  const name = `${service.toLowerCase().replaceAll('_', '-').replace(/^-+/, '').slice(0, 29)}-s3`;
  return isStorageName(name) ? name : parseStorageName('dokku-postgres-s3');
}

function configOf(service: ServiceName, legacy: LegacyBackup, schedule: LegacySchedule, region: string | undefined): S3Config {
  const endpoint = legacy.endpoint?.replace(/\/+$/, '') ?? null;
  try {
    return parseS3Config(
      {
        ...s3Defaults,
        bucket: schedule.bucket,
        prefix: schedule.prefix,
        endpoint,
        region: region ?? 'us-east-1',
        // As the AWS CLI, by which dokku-postgres uploads, has it with --endpoint-url.
        pathStyle: endpoint !== null,
        auth: { kind: schedule.iam ? 'iam' : 'keys' },
      },
      nameFor(service),
    );
  } catch (cause) {
    throw new PgbackupError('refused', `What dokku-postgres uploads ${service} to cannot be a storage here: ${messageOf(cause)}`, {
      cause,
      hint: `Set up what it should be: dokku pgbackup:storage-create <name> s3 --bucket <bucket> …, dokku pgbackup:schedule ${service} "${schedule.cron}"; then: dokku postgres:backup-unschedule ${service}`,
    });
  }
}

/** Whatever else was chosen for it (a storage class, a certificate) is the operator's own. */
function isSamePlace(one: S3Config, wanted: S3Config, region: string | undefined): boolean {
  return (
    one.bucket === wanted.bucket &&
    one.prefix === wanted.prefix &&
    one.endpoint?.replace(/\/$/, '') === wanted.endpoint?.replace(/\/$/, '') &&
    (region === undefined || one.region === region) &&
    (one.auth.kind === 'iam') === (wanted.auth.kind === 'iam')
  );
}

/** The setting `storages` of the service; undefined where it names the storage already. */
function chooseStorages({ own, global }: AdoptFacts, name: StorageName): string | undefined {
  const chosen = own.get('storages') || global.get('storages') || '';
  // What nobody has chosen is not kept: dokku-postgres leaves nothing on the host.
  if (chosen === '') return name;
  const names = parseStorageNames(chosen);
  return names.includes(name) ? undefined : [...names, name].join(',');
}

function chooseEncryption({ service, legacy, encryption: now }: AdoptFacts, wishes: AdoptWishes): AdoptedEncryption {
  const given = wishes.recipients.length > 0;
  if (wishes.withoutEncryption) {
    if (given) throw new PgbackupError('usage', 'Give either --recipients or --without-encryption');
    if (!now) return { kind: 'none' };
    throw new PgbackupError('usage', `--without-encryption, but backups of ${service} are encrypted by the setting ${now.kind}`, {
      hint: `If they shall not be: dokku pgbackup:set ${service} ${now.own ? now.kind : 'recipients none'}`,
    });
  }
  // Age knows no file that both a passphrase and a key open.
  if (given && now?.kind === 'passphrase' && now.own) {
    throw new PgbackupError('usage', `--recipients, but ${service} has a passphrase set here`, {
      hint: `If that shall no longer count: dokku pgbackup:set ${service} passphrase`,
    });
  }
  if (given) return { kind: 'recipients', set: wishes.recipients.join(',') };
  if (now) return now.kind === 'recipients' ? { kind: 'recipients', set: undefined } : { kind: 'passphrase', take: false };
  if (legacy.publicKey !== undefined) throw ofPublicKey(service, legacy.publicKey);
  if (legacy.passphrase === undefined) return { kind: 'none' };
  try {
    checkSetting('passphrase', legacy.passphrase);
  } catch (cause) {
    throw new PgbackupError('refused', `The passphrase that dokku-postgres has for ${service} cannot be taken over: ${messageOf(cause)}`, {
      cause,
      hint: `Set another one first: printf '%s' "$SECRET" | dokku pgbackup:set ${service} passphrase -. Or give a key: --recipients age1…`,
    });
  }
  return { kind: 'passphrase', take: true };
}

function ofPublicKey(service: ServiceName, key: string): PgbackupError {
  return new PgbackupError(
    'refused',
    `dokku-postgres encrypts the backups of ${service} to the gpg key ${key.slice(0, 60)}; here they are encrypted with age, which cannot use that key`,
    {
      hint:
        `Make a key of age away from this host (age-keygen -o key.txt) and give its public part: --recipients age1…\n` +
        `If the backups need not be encrypted: --without-encryption. Those that are there stay encrypted to the gpg key, and restore with it`,
    },
  );
}

function describeStorage({ name, config, make, writeKeys }: ChosenStorage, { legacy }: AdoptFacts): string {
  const access =
    config.auth.kind === 'iam'
      ? 'with the IAM role of this instance'
      : writeKeys
        ? `with the keys of dokku-postgres (${legacy.keys?.accessKeyId})`
        : 'with the keys it has';
  return `${name}${make ? ' (new)' : ', which is here already'}: ${whereIs(config)}, ${access}`;
}

function whereIs({ bucket, prefix, endpoint, region }: S3Config): string {
  return `s3://${[bucket, prefix].filter(Boolean).join('/')} ${endpoint === null ? `in ${region}` : `at ${endpoint}`}`;
}

function describeStorages({ own, global }: AdoptFacts, name: StorageName, storages: string | undefined): string {
  if (storages === undefined) return `${own.get('storages') || global.get('storages')}, as is set already`;
  return storages === name ? `${name} alone: dokku-postgres kept nothing on this host` : `${storages}: ${name} is added to what is set`;
}

function describeEncryption(encryption: AdoptedEncryption, { legacy }: AdoptFacts, wishes: AdoptWishes): string {
  switch (encryption.kind) {
    case 'none':
      return wishes.withoutEncryption ? 'none (--without-encryption)' : 'none, as before';
    case 'recipients':
      return encryption.set === undefined ? 'to the recipients that are set already' : `age, to ${wishes.recipients.join(', ')}`;
    case 'passphrase':
      return encryption.take ? 'age, with the passphrase that dokku-postgres gives to gpg' : withOwn(legacy);
  }
}

function withOwn(legacy: LegacyBackup): string {
  return `age, with the passphrase that is set here${legacy.passphrase === undefined ? '' : ' (not that of dokku-postgres)'}`;
}

function warningsOf(
  { service, legacy, schedule, localBackups }: AdoptFacts,
  wishes: AdoptWishes,
  { name, config, make }: ChosenStorage,
  storages: string | undefined,
  encryption: AdoptedEncryption,
): readonly string[] {
  const warnings: string[] = [];
  if (make) warnings.push(...s3Warnings(config));
  if (make && legacy.endpoint === undefined && legacy.region === undefined && wishes.region === undefined)
    warnings.push(`dokku-postgres has no region set: the bucket is looked for in us-east-1. If it is elsewhere, add: --region <region>`);
  if (legacy.signatureVersion !== undefined && legacy.signatureVersion !== 's3v4')
    warnings.push(`dokku-postgres signs in the old way (${legacy.signatureVersion.slice(0, 20)}); here requests are signed with version 4`);
  if (schedule.oddSlashes)
    warnings.push('The path in the bucket has slashes at its end or twice: the old backups are not listed, but restore by their address');
  if (encryption.kind === 'none' && (legacy.passphrase !== undefined || legacy.publicKey !== undefined))
    warnings.push('dokku-postgres encrypts its backups; those taken here will not be encrypted');
  if (localBackups > 0 && storages === name)
    warnings.push(
      `${formatCount(localBackups)} ${localBackups === 1 ? 'backup' : 'backups'} of ${service} in local will not be listed any more. ` +
        `To use both: dokku pgbackup:set ${service} storages local,${name}`,
    );
  if (wishes.keepOld)
    warnings.push(`With --keep-old ${service} is backed up twice, until you type: dokku postgres:backup-unschedule ${service}`);
  return warnings;
}
