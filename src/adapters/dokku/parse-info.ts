import { isAppName, type ServiceName } from '../../domain/names.ts';
import { PgbackupError } from '../../domain/errors.ts';
import type { Login, Service } from '../../domain/service.ts';

/** The `Key: value` lines of a Dokku report; values lose their padding. */
export function parseReport(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').flatMap((line) => {
    const match = /^ +([^:]+):(.*)$/.exec(line);
    return match ? [[(match[1] ?? '').trim(), (match[2] ?? '').trim()] as const] : [];
  });
  return new Map(lines);
}

/**
 * The parts of a DSN as dokku-postgres writes it: the password stands in it raw, so that anything but the
 * last @ and the first colon after the user may belong to it.
 * @throws PgbackupError dokku.
 */
export function parseDsn(dsn: string): Login {
  const match = /^postgres(?:ql)?:\/\/([^:@/]+):(.*)@[^@:/]+:\d+\/([^/?]+)$/s.exec(dsn);
  const [, user, password, database] = match ?? [];
  if (user === undefined || password === undefined || database === undefined) {
    // The DSN itself holds the password and so is not shown.
    throw new PgbackupError('dokku', 'The Dsn line of dokku postgres:info is not in the form postgres://user:password@host:port/database');
  }
  return { user, password, database };
}

/** A service from what `dokku postgres:info <name>` printed. @throws PgbackupError dokku. */
export function parseServiceInfo(name: ServiceName, text: string): Service {
  const report = parseReport(text);
  const value = (key: string): string => {
    const found = report.get(key);
    if (found === undefined) throw new PgbackupError('dokku', `dokku postgres:info ${name} has no line "${key}"`);
    return found;
  };
  const links = value('Links');
  return {
    name,
    login: parseDsn(value('Dsn')),
    status: value('Status'),
    image: value('Version'),
    containerId: value('Id'),
    apps: links === '-' ? [] : links.split(/\s+/).filter(isAppName),
    root: value('Service root'),
  };
}
