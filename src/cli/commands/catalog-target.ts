import { findBackup, latestBackup, readCatalog, warnOfGaps, type Catalog, type CatalogEntry } from '../../app/catalog.ts';
import { resolveCatalogName } from '../../app/resolve.ts';
import { openStorages } from '../../app/storages.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { isServiceName, type ServiceName } from '../../domain/names.ts';
import { parseStorageNames, type StorageName } from '../../domain/storage-name.ts';
import type { Ports } from '../../ports.ts';
import type { Arguments } from '../spec.ts';

/** The catalog of the service that the first argument stands for; damaged manifests are told, not passed over. */
export async function targetCatalog(ports: Ports, args: Arguments): Promise<{ service: ServiceName; catalog: Catalog }> {
  const target = args.required(0);
  const named = args.text('service');
  const only = storagesOption(args);
  const name = named ?? target;
  // The service may be gone: where its backups are known, Dokku is not asked about it.
  const guess = isServiceName(name) ? await readCatalog(await openStorages(ports, name, only), name) : undefined;
  const service = await resolveCatalogName(
    ports,
    { target, ...(named !== undefined && { service: named }) },
    () => (guess?.entries.length ?? 0) > 0,
  );
  const catalog = service === name && guess ? guess : await readCatalog(await openStorages(ports, service, only), service);
  warnOfGaps(ports.reporter, catalog);
  return { service, catalog };
}

/** The service that the first argument stands for; of one that is gone its backups are enough. */
export async function targetName(ports: Ports, args: Arguments, only?: readonly StorageName[]): Promise<ServiceName> {
  const target = args.required(0);
  const named = args.text('service');
  const name = named ?? target;
  const known = isServiceName(name) && (await readCatalog(await openStorages(ports, name, only), name)).entries.length > 0;
  return resolveCatalogName(ports, { target, ...(named !== undefined && { service: named }) }, () => known);
}

/** The storages of `--storage`; undefined: those of the settings. @throws PgbackupError usage. */
export function storagesOption(args: Arguments): readonly StorageName[] | undefined {
  const names = args.list('storage');
  return names.length === 0 ? undefined : parseStorageNames(names.join(','));
}

/** The backup that the second argument names, or the newest. @throws PgbackupError not-found, no-backup. */
export async function targetBackup(
  ports: Ports,
  args: Arguments,
): Promise<{ service: ServiceName; catalog: Catalog; entry: CatalogEntry }> {
  const { service, catalog } = await targetCatalog(ports, args);
  const id = args.optional(1);
  if (id === '') throw new PgbackupError('usage', 'The backup id is empty');
  return {
    service,
    catalog,
    entry:
      id === undefined ? latestBackup(catalog, service, ports.host.id, ports.clock.now()) : findBackup(catalog, service, id, ports.host.id),
  };
}
