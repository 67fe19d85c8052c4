import { planAdoption, type AdoptPlan, type AdoptWishes, type KnownStorage } from '../domain/adopt-plan.ts';
import { PgbackupError } from '../domain/errors.ts';
import { parseForeignBackup } from '../domain/foreign-backup.ts';
import { parseLegacyCrontab, type LegacyBackup } from '../domain/legacy-backup.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { ServiceName } from '../domain/names.ts';
import { parseSchedule } from '../domain/schedule.ts';
import { notRunning } from '../domain/service.ts';
import { effectiveValue } from '../domain/settings.ts';
import { localStorage } from '../domain/storage-name.ts';
import type { Ports } from '../ports.ts';
import { setUp, type SetUpPorts } from './adopt-set-up.ts';
import { createBackup, failedCopies, type BackupPorts, type BackupResult } from './backup.ts';
import { checkConsent, confirmByName, type Consent } from './confirm.ts';
import { encryptionTarget } from './encryption.ts';
import { resolveService, type Target } from './resolve.ts';

export interface AdoptRequest extends Target, Consent, AdoptWishes {
  /** In place of the schedule that dokku-postgres has; undefined: that one. */
  readonly cron: string | undefined;
  readonly dryRun: boolean;
  readonly toolVersion: string;
}

export type AdoptResult =
  | { readonly kind: 'planned'; readonly plan: AdoptPlan }
  | {
      readonly kind: 'adopted';
      readonly plan: AdoptPlan;
      /** Of the first backup. */
      readonly manifest: Manifest;
      readonly places: readonly string[];
      readonly schedule: string;
      /** The first time at which the schedule is due. */
      readonly next: Date | undefined;
      readonly oldSchedule: 'removed' | 'kept';
      /** The newest backup that dokku-postgres has taken, by its address, and how many there are; undefined: none was found. */
      readonly old: { readonly newest: string; readonly count: number } | undefined;
    };

export type AdoptPorts = BackupPorts & SetUpPorts & Pick<Ports, 'legacyBackups' | 'encryption'>;

/**
 * Takes over the backups that dokku-postgres takes of a service: sets up the same here, takes and proves a first
 * backup, and only then ends the old schedule. It can be repeated after whatever ended it: the old schedule stays
 * until a backup is stored and proven, and what is there already is used.
 * @throws PgbackupError not-found, usage, refused, confirmation, partial, and whatever a backup throws. Whatever is
 * thrown, the settings and schedules are what they were, except where only the removal of the old schedule has failed.
 */
export async function adopt(ports: AdoptPorts, request: AdoptRequest): Promise<AdoptResult> {
  const service = await resolveService(ports, request);
  checkConsent(service.name, request, 'Adoption');
  const legacy = await ports.legacyBackups.read(service);
  const plan = await makePlan(ports, request, service.name, legacy);
  ports.reporter.step(`${service.name} is backed up by dokku-postgres. To take over:`);
  for (const [label, text] of plan.lines) ports.reporter.detail(`${`${label}:`.padEnd(14)} ${text}`);
  for (const warning of plan.warnings) ports.reporter.warn(warning);
  if (request.dryRun || !legacy) return { kind: 'planned', plan };
  const stopped = notRunning(service);
  if (stopped) throw new PgbackupError('refused', `Adoption refused: ${stopped.message}`, { hint: stopped.hint });
  const stake = `backups of ${service.name} would be taken by pgbackup${plan.keepOld ? ' too' : ', and no longer by dokku-postgres'}`;
  await confirmByName(ports.reporter, service.name, request, 'Adoption', stake);
  ports.signal.throwIfAborted();
  return takeOver(ports, request, plan, legacy);
}

async function makePlan(
  ports: AdoptPorts,
  request: AdoptRequest,
  service: ServiceName,
  legacy: LegacyBackup | undefined,
): Promise<AdoptPlan> {
  if (legacy?.crontab === undefined) throw await noSchedule(ports, service, legacy);
  const schedule = parseLegacyCrontab(legacy.crontab, service);
  const cron = await checkCron(request, service, request.cron ?? schedule.cron);
  if (request.recipients.length > 0) await ports.encryption.checkRecipients(request.recipients);
  const [own, global] = [await ports.settings.read(service), await ports.settings.read('--global')];
  const target = await encryptionTarget(ports, service);
  return planAdoption(
    {
      service,
      legacy,
      schedule,
      cron,
      storages: ports.storages.list().map((name): KnownStorage => {
        try {
          return { name, config: ports.storages.config(name), keyId: ports.storages.keyId(name) };
        } catch {
          // One that is damaged leads nowhere; its name is taken.
          return { name, config: undefined, keyId: undefined };
        }
      }),
      own,
      global,
      encryption: target && { kind: target.kind, own: Boolean(own.get(target.kind)) },
      localBackups: await countLocal(ports, service, effectiveValue('backup-dir', own, global) || undefined),
    },
    request,
  );
}

/** There is nothing, or too little: what to do in place of adopting. */
async function noSchedule(ports: AdoptPorts, service: ServiceName, legacy: LegacyBackup | undefined): Promise<PgbackupError> {
  const { entries } = await ports.schedules.list();
  if (entries.some((entry) => entry.service === service)) {
    return new PgbackupError('not-found', `dokku-postgres has no schedule for ${service}, but pgbackup has`, {
      hint: `Nothing is left to take over. See: dokku pgbackup:schedules ${service}`,
    });
  }
  const options = [
    ...(legacy?.endpoint === undefined ? [] : [`--endpoint ${legacy.endpoint} --path-style`]),
    ...(legacy?.region === undefined ? [] : [`--region ${legacy.region}`]),
  ];
  const create = ['dokku pgbackup:storage-create offsite s3 --bucket <bucket>', ...options].join(' ');
  const what =
    legacy === undefined
      ? `dokku-postgres has no backups set up for ${service}: there is nothing to take over`
      : `dokku-postgres has no schedule for ${service}, and so nothing says which bucket its backups go to`;
  return new PgbackupError('not-found', what, {
    hint: `Set it up here: ${create}\nthen: dokku pgbackup:set ${service} storages offsite, and: dokku pgbackup:schedule ${service} "0 3 * * *"`,
  });
}

/** @throws PgbackupError refused, with what to type in its place; usage, for one that was given by hand. */
async function checkCron(request: AdoptRequest, service: ServiceName, text: string): Promise<string> {
  try {
    return (await parseSchedule(text, request.target)).cron;
  } catch (cause) {
    if (!(cause instanceof PgbackupError)) throw cause;
    const hint = (cause.hint ?? '').replaceAll(
      /dokku pgbackup:schedule \S+ ("[^"]*")/g,
      (_, cron: string) => `dokku pgbackup:adopt ${request.target} --schedule ${cron}`,
    );
    if (request.cron !== undefined) throw new PgbackupError('usage', cause.message, { cause, hint });
    throw new PgbackupError('refused', `The schedule of dokku-postgres for ${service} cannot be taken over: ${cause.message}`, {
      cause,
      hint: /--schedule/.test(hint) ? hint : `Give another one: dokku pgbackup:adopt ${request.target} --schedule "0 */6 * * *"`,
    });
  }
}

/** Backups that lie in `local`, where a change of the setting would no longer look. What cannot be read does not count. */
async function countLocal(
  ports: Pick<AdoptPorts, 'storages' | 'host'>,
  service: ServiceName,
  backupDir: string | undefined,
): Promise<number> {
  let count = 0;
  try {
    for await (const { key } of ports.storages.open(localStorage, backupDir).list(`${ports.host.id}/${service}/`))
      if (key.endsWith('/manifest.json')) count += 1;
  } catch {
    return 0;
  }
  return count;
}

async function takeOver(ports: AdoptPorts, request: AdoptRequest, plan: AdoptPlan, legacy: LegacyBackup): Promise<AdoptResult> {
  const { service } = plan;
  const { entry, next, takeBack } = await setUp(ports, plan, request.target, legacy);
  let done: BackupResult;
  try {
    done = await createBackup(ports, {
      target: service,
      service,
      labels: {},
      note: 'the first one after dokku-postgres',
      schemas: [],
      toolVersion: request.toolVersion,
    });
    mustBeProven(plan, done.manifest);
  } catch (error) {
    await takeBack();
    throw error;
  }
  if (!plan.keepOld) await ports.legacyBackups.unschedule(service);
  return {
    kind: 'adopted',
    plan,
    manifest: done.manifest,
    places: done.places,
    schedule: entry.id,
    next: next[0],
    oldSchedule: plan.keepOld ? 'kept' : 'removed',
    old: await findOld(ports, plan),
  };
}

/** @throws PgbackupError partial, verification. */
function mustBeProven({ service, storage, encryption }: AdoptPlan, manifest: Manifest): void {
  const failed = failedCopies(manifest);
  if (failed.length > 0) {
    const told = failed.map(({ name, message }) => `${name} (${message ?? 'no reason is known'})`).join(', ');
    throw new PgbackupError('partial', `Backup ${manifest.id} is not in ${told}: ${service} is not taken over`, {
      hint: `When the storage works: dokku pgbackup:adopt ${service}`,
    });
  }
  if (!manifest.storages?.some(({ name }) => name === storage.name))
    throw new PgbackupError('verification', `Backup ${manifest.id} did not go to ${storage.name}: ${service} is not taken over`);
  const used = manifest.archive.encryption;
  const encrypted =
    encryption.kind === 'none' || (encryption.kind === 'passphrase' ? used?.passphrase : used && used.recipients.length > 0);
  if (!encrypted) {
    throw new PgbackupError('verification', `Backup ${manifest.id} is not encrypted as it should be: ${service} is not taken over`, {
      hint: `It lies in ${storage.name} as it is. To be rid of it: dokku pgbackup:delete ${service} ${manifest.id}`,
    });
  }
}

/** What dokku-postgres has left in the bucket. Keys that may only write cannot tell. */
async function findOld(
  ports: Pick<AdoptPorts, 'storages'>,
  { service, storage }: AdoptPlan,
): Promise<{ newest: string; count: number } | undefined> {
  const keys: string[] = [];
  try {
    for await (const { key } of ports.storages.open(storage.name, undefined).list(`postgres-${service}-`))
      if (parseForeignBackup(key)?.service === service) keys.push(key);
  } catch {
    return undefined;
  }
  const newest = keys.toSorted().at(-1);
  const { bucket, prefix } = storage.config;
  if (newest === undefined) return undefined;
  return { newest: `s3://${[bucket, prefix, newest].filter(Boolean).join('/')}`, count: keys.length };
}
