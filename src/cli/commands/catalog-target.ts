import { findBackup, latestBackup, openStorage, readCatalog, type Catalog, type CatalogEntry } from '../../app/catalog.ts';
import { resolveCatalogName } from '../../app/resolve.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { isServiceName, type ServiceName } from '../../domain/names.ts';
import type { Ports } from '../../ports.ts';
import type { Arguments } from '../spec.ts';

/** The catalog of the service that the first argument stands for; damaged manifests are told, not passed over. */
export async function targetCatalog(ports: Ports, args: Arguments): Promise<{ service: ServiceName; catalog: Catalog }> {
  const target = args.required(0);
  const named = args.text('service');
  const name = named ?? target;
  // The service may be gone: where its backups are known, Dokku is not asked about it.
  const guess = isServiceName(name) ? await readCatalog(await openStorage(ports, name), name) : undefined;
  const service = await resolveCatalogName(
    ports,
    { target, ...(named !== undefined && { service: named }) },
    () => (guess?.entries.length ?? 0) > 0,
  );
  const catalog = service === name && guess ? guess : await readCatalog(await openStorage(ports, service), service);
  for (const problem of catalog.problems) ports.reporter.warn(problem.message);
  return { service, catalog };
}

/** The backup that the second argument names, or the newest. @throws PgbackupError not-found, no-backup. */
export async function targetBackup(
  ports: Ports,
  args: Arguments,
): Promise<{ service: ServiceName; catalog: Catalog; entry: CatalogEntry }> {
  const { service, catalog } = await targetCatalog(ports, args);
  const id = args.optional(1);
  if (id === '') throw new PgbackupError('usage', 'The backup id is empty');
  return { service, catalog, entry: id === undefined ? latestBackup(catalog, service, ports.host.id) : findBackup(catalog, service, id) };
}
