import { PgbackupError } from './errors.ts';

/** Name of a Dokku Postgres service, checked. */
export type ServiceName = string & { readonly brand: 'ServiceName' };

/** Name of a Dokku app, checked. */
export type AppName = string & { readonly brand: 'AppName' };

// What dokku-postgres and Dokku accept, minus a leading dash or dot: a name becomes an argument of
// other programs and a folder, so nothing that reads as an option or climbs out may pass.
const servicePattern = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;
const appPattern = /^[a-z0-9][a-z0-9/:_.-]*$/;

/** True for what Dokku accepts as a service's name. */
export function isServiceName(text: string): text is ServiceName {
  return text.length <= 128 && servicePattern.test(text);
}

/** True for what Dokku accepts as an app's name. */
export function isAppName(text: string): text is AppName {
  return text.length <= 128 && appPattern.test(text) && !text.includes('..');
}

/** @throws PgbackupError usage, when the text cannot be the name of a service. */
export function parseServiceName(text: string): ServiceName {
  if (isServiceName(text)) return text;
  throw new PgbackupError('usage', `"${text}" cannot be the name of a Postgres service`, {
    hint: 'Names hold letters, digits, _ and -. List yours: dokku postgres:list',
  });
}
