/** An object that dokku-postgres's own `postgres:backup` has made. */
export interface ForeignBackup {
  readonly service: string;
  /** UTC, as the container that makes them counts: docker-s3backup, backup.sh. */
  readonly taken: string;
  readonly encrypted: boolean;
}

const pattern = /^postgres-([A-Za-z0-9_][A-Za-z0-9_-]*)-(\d{4}-\d\d-\d\d)-(\d\d)-(\d\d)-(\d\d)\.tgz(\.gpg)?$/;

/** What the name of an object of dokku-postgres tells; undefined for any other. */
export function parseForeignBackup(key: string): ForeignBackup | undefined {
  const [, service, day, hour, minute, second, gpg] = pattern.exec(key) ?? [];
  if (service === undefined) return undefined;
  return { service, taken: `${day}T${hour}:${minute}:${second}Z`, encrypted: gpg !== undefined };
}
