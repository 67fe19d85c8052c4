import type { AdoptPlan } from '../domain/adopt-plan.ts';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import type { LegacyBackup } from '../domain/legacy-backup.ts';
import { commandOf, type ScheduleEntry } from '../domain/schedule-entry.ts';
import type { Ports } from '../ports.ts';
import { addSchedule, removeSchedules } from './schedules.ts';
import { checkStorage } from './storage-check.ts';
import { createStorage } from './storage-setup.ts';

export type SetUpPorts = Pick<Ports, 'clock' | 'dokku' | 'schedules' | 'cron' | 'host' | 'reporter' | 'storages' | 'settings' | 'signal'>;

export interface SetUp {
  readonly entry: ScheduleEntry;
  readonly next: readonly Date[];
  /** Puts settings and schedules back to what they were, and says what is left. Never throws. */
  readonly takeBack: () => Promise<void>;
}

/**
 * Sets up the plan, up to the schedule. Each step finds done what a killed one before it has done.
 * @throws PgbackupError storage (it cannot take a backup), dokku (the crontab). What was set up is then taken back.
 */
export async function setUp(ports: SetUpPorts, plan: AdoptPlan, target: string, legacy: LegacyBackup): Promise<SetUp> {
  await makeStorage(ports, plan, legacy);
  const undo: (() => Promise<unknown>)[] = [];
  const takeBack = async (): Promise<void> => {
    let left = false;
    for (const step of undo.toReversed()) {
      await step().catch((error: unknown) => {
        left = true;
        ports.reporter.warn(`Not everything could be put back: ${messageOf(error)}`);
      });
    }
    const { service, storage } = plan;
    ports.reporter.warn(
      `${service} is backed up by dokku-postgres as before: its schedule was not touched. ` +
        (left
          ? `See what is set here: dokku pgbackup:report ${service}, dokku pgbackup:schedules ${service}. `
          : 'Settings and schedules here are what they were. ') +
        `Storage ${storage.name} stays, and is used when you try again`,
    );
  };
  try {
    const before = await ports.settings.read(plan.service);
    for (const [key, value] of newSettings(plan, legacy)) {
      // Known before it is written: a write that fails may have come to pass.
      const old = before.get(key) || undefined;
      undo.push(() => ports.settings.write(plan.service, key, old));
      await ports.settings.write(plan.service, key, value);
    }
    const { entry, added, next } = await addSchedule(ports, { target, service: plan.service, text: plan.cron, storages: null, labels: {} });
    if (added) undo.push(() => removeSchedules(ports, { target, service: plan.service, id: entry.id, all: false }));
    await mustBeInstalled(ports, entry);
    return { entry, next, takeBack };
  } catch (error) {
    await takeBack();
    throw error;
  }
}

/** A schedule that was there already may be one whose making was cut off: cron knows nothing of it then. @throws PgbackupError dokku. */
async function mustBeInstalled(ports: SetUpPorts, entry: ScheduleEntry): Promise<void> {
  const installed = async (): Promise<boolean> =>
    (await ports.cron.installed()).some(({ schedule, command }) => schedule === entry.cron && command === commandOf(entry));
  if (await installed()) return;
  await ports.cron.apply();
  if (await installed()) return;
  throw new PgbackupError('dokku', `Schedule ${entry.id} of ${entry.service} ("${entry.cron}") is not in the crontab of user dokku`, {
    hint: `Make it anew, then try again: dokku pgbackup:unschedule ${entry.service} ${entry.id}`,
  });
}

/** Makes it and sees that it takes backups. One that does not is not left behind. */
async function makeStorage(ports: SetUpPorts, { service, storage }: AdoptPlan, legacy: LegacyBackup): Promise<void> {
  const { name, config, make, writeKeys } = storage;
  if (make) await createStorage(ports, name, config, false);
  try {
    if (writeKeys && legacy.keys) await ports.storages.writeKeys(name, legacy.keys);
    const { findings } = await checkStorage(ports, name);
    const lacking = findings.filter(({ required, state }) => required && state !== 'ok');
    if (lacking.length === 0) return;
    throw new PgbackupError('storage', `No backup can be taken to ${name}: ${lacking.map(({ title }) => title).join(', ')}`, {
      hint: lacking.map(({ detail }) => detail).join('\n'),
    });
  } catch (error) {
    // With another region, say, it is another storage, which this one's name must not be in the way of.
    if (make) await ports.storages.remove(name).catch((failure: unknown) => ports.reporter.warn(messageOf(failure)));
    ports.reporter.warn(`${service} is backed up by dokku-postgres as before: nothing has been changed`);
    if (!make || !(error instanceof PgbackupError) || !/storage-auth/.test(error.hint ?? '')) throw error;
    // The storage that the hint speaks of is gone again: the keys are dokku-postgres's to mend.
    throw new PgbackupError(error.code, error.message, {
      cause: error,
      hint: `Give dokku-postgres the right ones (dokku postgres:backup-deauth ${service}, dokku postgres:backup-auth ${service} …), then adopt again`,
    });
  }
}

/** What is to be set, by key. */
function newSettings({ storages, encryption }: AdoptPlan, legacy: LegacyBackup): readonly (readonly [string, string])[] {
  const settings: [string, string][] = [];
  // The key before the place: at no moment is there a setting by which a backup would go there unencrypted.
  if (encryption.kind === 'recipients' && encryption.set !== undefined) settings.push(['recipients', encryption.set]);
  if (encryption.kind === 'passphrase' && encryption.take && legacy.passphrase !== undefined)
    settings.push(['passphrase', legacy.passphrase]);
  if (storages !== undefined) settings.push(['storages', storages]);
  return settings;
}
