import { PgbackupError } from '../domain/errors.ts';
import { isAppName, isServiceName, parseServiceName, type ServiceName } from '../domain/names.ts';
import type { Service } from '../domain/service.ts';
import type { Ports } from '../ports.ts';

/** What a command names: an app or a service, and with `--service` which one of several. */
export interface Target {
  readonly target: string;
  readonly service?: string;
}

/**
 * The service that a target stands for. A service's own name wins over an app's; an app stands for the one
 * service linked to it.
 * @throws PgbackupError not-found, usage (several services), dokku.
 */
export async function resolveService(ports: Pick<Ports, 'dokku'>, { target, service }: Target): Promise<Service> {
  if (service !== undefined) {
    const named = await ports.dokku.service(parseServiceName(service));
    if (!named) throw noSuchTarget(service);
    if (service !== target && !named.apps.some((app) => app === target)) {
      throw new PgbackupError('usage', `Service ${service} is not linked to ${target}`, { hint: `See: dokku postgres:info ${service}` });
    }
    return named;
  }
  const asService = isServiceName(target) ? await ports.dokku.service(target) : undefined;
  if (asService) return asService;
  const linked = isAppName(target) ? await ports.dokku.appServices(target) : undefined;
  if (linked === undefined) throw noSuchTarget(target);
  const [only, ...more] = linked;
  if (only === undefined) {
    throw new PgbackupError('not-found', `App ${target} is linked to no Postgres service`, {
      hint: `Link one (dokku postgres:link <service> ${target}), or name a service: dokku postgres:list`,
    });
  }
  if (more.length > 0) {
    throw new PgbackupError('usage', `App ${target} is linked to several services: ${linked.join(', ')}`, {
      hint: `Say which: --service ${only}`,
    });
  }
  const found = await ports.dokku.service(only);
  if (!found) throw noSuchTarget(only);
  return found;
}

function noSuchTarget(target: string): PgbackupError {
  return new PgbackupError('not-found', `There is no app and no Postgres service called "${target}"`, {
    hint: 'List them: dokku apps:list, dokku postgres:list',
  });
}

/**
 * The service's name for commands that read the catalog alone. Where the storage knows the name, Dokku is not
 * asked: backups of a service that is gone must still be found.
 */
export async function resolveCatalogName(
  ports: Pick<Ports, 'dokku'>,
  target: Target,
  known: (name: string) => boolean,
): Promise<ServiceName> {
  const name = target.service ?? target.target;
  if (isServiceName(name) && known(name)) return name;
  return (await resolveService(ports, target)).name;
}
