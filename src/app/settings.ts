import { PgbackupError } from '../domain/errors.ts';
import { formatMetrics } from '../domain/metrics.ts';
import { isServiceName, type ServiceName } from '../domain/names.ts';
import { checkSetting, effectiveValue, settingKeys, shownValue } from '../domain/settings.ts';
import { localStorage, parseStorageNames } from '../domain/storage-name.ts';
import { parseRecipients } from '../domain/recipients.ts';
import type { Ports, Storage } from '../ports.ts';
import { contradiction } from './encryption.ts';
import { mustDiffer } from './storages.ts';
import { resolveService, type Target } from './resolve.ts';

export type Scope = ServiceName | '--global';

/**
 * Whose settings are meant. A service that is gone may have some left, and they must not keep a storage in use for ever.
 * @throws PgbackupError not-found, usage (several services), dokku.
 */
export async function settingsScope(ports: Pick<Ports, 'settings' | 'dokku'>, target: Target): Promise<ServiceName> {
  try {
    return (await resolveService(ports, target)).name;
  } catch (error) {
    const name = target.service ?? target.target;
    const gone = error instanceof PgbackupError && error.code === 'not-found';
    if (gone && isServiceName(name) && (await ports.settings.read(name)).size > 0) return name;
    throw error;
  }
}

/** Sets a key, or with no value puts it back to its default. @throws PgbackupError usage, storage. */
export async function setSetting(
  ports: Pick<Ports, 'settings' | 'storages' | 'clock' | 'encryption' | 'monitoring'>,
  scope: Scope,
  key: string,
  value: string | undefined,
): Promise<void> {
  checkSetting(key, value ?? '', scope);
  if (key === 'backup-dir' && value !== undefined && value !== '')
    await tryStorage(ports.storages.open(localStorage, value), `.probe-${ports.clock.suffix()}`);
  // One that there is not is told now, and not at night.
  if (key === 'storages' && value) {
    const names = parseStorageNames(value);
    for (const name of names) ports.storages.open(name, undefined);
    const values = await Promise.all([scope, '--global' as const].map((one) => ports.settings.read(one)));
    mustDiffer(ports, names, values.map((one) => one.get('backup-dir')).find(Boolean));
  }
  if (value) await checkEncryption(ports, scope, key, value);
  if (key === 'textfile-dir' && value) await ports.monitoring.publish(value, formatMetrics(await ports.monitoring.figures(), []));
  await ports.settings.write(scope, key, value === '' ? undefined : value);
}

/** @throws PgbackupError usage: a recipient with a wrong character, or both a recipient and a passphrase. */
async function checkEncryption(ports: Pick<Ports, 'settings' | 'encryption'>, scope: Scope, key: string, value: string): Promise<void> {
  const others: Readonly<Record<string, string>> = { recipients: 'passphrase', passphrase: 'recipients' };
  const other = others[key];
  if (other === undefined || value === 'none') return;
  if (key === 'recipients') await ports.encryption.checkRecipients(parseRecipients(value));
  const set = (await ports.settings.read(scope)).get(other) ?? '';
  if (set !== '' && set !== 'none') throw contradiction(scope);
}

/** Writes and deletes a small file: better to hear of a wrong place now than at the next backup. @throws PgbackupError storage. */
export async function tryStorage(storage: Storage, key: string): Promise<void> {
  async function* nothing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('\n');
  }
  await storage.put(key, nothing());
  await storage.delete(key);
}

export interface SettingsReport {
  readonly service: string;
  readonly settings: readonly { readonly key: string; readonly own: string; readonly global: string; readonly effective: string }[];
}

/** Every setting of a service: its own value, the global one, and the one that counts, each as anyone may see it. */
export async function reportSettings(ports: Pick<Ports, 'settings'>, service: ServiceName): Promise<SettingsReport> {
  const [own, global] = [await ports.settings.read(service), await ports.settings.read('--global')];
  return {
    service,
    settings: settingKeys.map((key) => ({
      key,
      own: shownValue(key, own.get(key) ?? ''),
      global: shownValue(key, global.get(key) ?? ''),
      effective: shownValue(key, effectiveValue(key, own, global)),
    })),
  };
}
