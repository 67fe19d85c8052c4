import type { AppName, ServiceName } from './names.ts';

/** How to log in to a service; the host part of its DSN resolves only inside linked apps and is not kept. */
export interface Login {
  readonly user: string;
  /** Raw as dokku-postgres writes it, never percent-encoded. */
  readonly password: string;
  readonly database: string;
}

/** A Postgres service as `dokku postgres:info` tells it. */
export interface Service {
  readonly name: ServiceName;
  readonly login: Login;
  /** Docker's word (running, exited, restarting, paused …), or `missing` after postgres:stop. */
  readonly status: string;
  /** Image and tag, for example `postgres:18.4`; empty while the container is missing. */
  readonly image: string;
  readonly containerId: string;
  readonly apps: readonly AppName[];
  /** Folder of the service on the host, for example /var/lib/dokku/services/postgres/shop. */
  readonly root: string;
}

/** Why a service cannot be worked on now, and what to type about it; undefined when it runs. */
export function notRunning(service: Service): { readonly message: string; readonly hint: string } | undefined {
  const start = `dokku postgres:start ${service.name}`;
  switch (service.status) {
    case 'running':
      return undefined;
    case 'missing':
      return { message: `Service ${service.name} is stopped (it has no container)`, hint: `Start it: ${start}` };
    case 'paused':
      return {
        message: `The container of service ${service.name} is paused`,
        hint: `Let it go on: docker unpause dokku.postgres.${service.name}`,
      };
    case 'restarting':
      return {
        message: `Service ${service.name} keeps restarting`,
        hint: `Look why, then try again: dokku postgres:logs ${service.name}`,
      };
    default:
      return { message: `Service ${service.name} is not running (its status is "${service.status}")`, hint: `Start it: ${start}` };
  }
}
