import type { ServiceName } from '../domain/names.ts';
import { checkSetting, effectiveValue, settingKeys } from '../domain/settings.ts';
import type { Ports, Storage } from '../ports.ts';

export type Scope = ServiceName | '--global';

/** Sets a key, or with no value puts it back to its default. @throws PgbackupError usage, storage. */
export async function setSetting(
  ports: Pick<Ports, 'settings' | 'storage' | 'clock'>,
  scope: Scope,
  key: string,
  value: string | undefined,
): Promise<void> {
  checkSetting(key, value ?? '');
  if (key === 'backup-dir' && value !== undefined && value !== '') await tryStorage(ports.storage(value), `.probe-${ports.clock.suffix()}`);
  await ports.settings.write(scope, key, value === '' ? undefined : value);
}

/** Writes and deletes a small file: better to hear of a wrong place now than at the next backup. @throws PgbackupError storage. */
async function tryStorage(storage: Storage, key: string): Promise<void> {
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

/** Every setting of a service: its own value, the global one, and the one that counts. */
export async function reportSettings(ports: Pick<Ports, 'settings'>, service: ServiceName): Promise<SettingsReport> {
  const [own, global] = [await ports.settings.read(service), await ports.settings.read('--global')];
  return {
    service,
    settings: settingKeys.map((key) => ({
      key,
      own: own.get(key) ?? '',
      global: global.get(key) ?? '',
      effective: effectiveValue(key, own, global),
    })),
  };
}
