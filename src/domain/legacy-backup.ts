import { PgbackupError } from './errors.ts';
import type { ServiceName } from './names.ts';

/** What dokku-postgres keeps of its own backups of a service, as its files have it. */
export interface LegacyBackup {
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  /** `s3v4`, or `s3` for the old way of signing. */
  readonly signatureVersion: string | undefined;
  /** Of gpg, symmetric. */
  readonly passphrase: string | undefined;
  /** Id of a public key of gpg; it counts where there is a passphrase too. */
  readonly publicKey: string | undefined;
  /** The text of its file in /etc/cron.d; undefined: there is no schedule. */
  readonly crontab: string | undefined;
}

/** What dokku-postgres's schedule does. */
export interface LegacySchedule {
  /** When, as it stands there. */
  readonly cron: string;
  readonly bucket: string;
  /** The path behind the name of the bucket, without slashes at its ends. */
  readonly prefix: string;
  /** The path has slashes that a prefix of ours cannot have: what lies there is not found by listing. */
  readonly oddSlashes: boolean;
  /** It asks for the role of the instance, and never for the keys. */
  readonly iam: boolean;
}

// `SCHEDULE dokku /usr/bin/dokku postgres:backup SERVICE BUCKET [--use-iam]`, with a log perhaps that somebody has added.
const line =
  /^(?<cron>@\S+|\S+(?:\s+\S+){4})\s+(?:dokku|root)\s+(?:\S*\/)?dokku\s+postgres:backup\s+(?<service>\S+)\s+(?<bucket>[^\s>&|;]+)(?:\s+(?<iam>--use-iam|-u))?\s*(?:(?:&>|>|[12]>).*)?$/;

// None of them moves the time at which a line is due, as CRON_TZ would.
const harmless = /^(?:#.*|(?:PATH|SHELL|HOME|MAILTO|LANG)\s*=.*)?$/;

/**
 * The one line that dokku-postgres writes. More or other than that was put there by hand, and would be lost by its removal.
 * @throws PgbackupError refused, showing what is not understood.
 */
export function parseLegacyCrontab(text: string, service: ServiceName): LegacySchedule {
  const lines = text
    .split('\n')
    .map((one) => one.trim())
    .filter((one) => !harmless.test(one));
  const [only, ...more] = lines;
  if (only === undefined) throw notUnderstood(service, 'has no line', '(none)');
  if (more.length > 0) throw notUnderstood(service, `has ${lines.length} lines, where dokku-postgres writes one`, lines.join('\n'));
  const { cron, service: named, bucket: path, iam } = line.exec(only)?.groups ?? {};
  if (cron === undefined || path === undefined || named !== service)
    throw notUnderstood(service, 'is not as dokku-postgres writes it', only);
  const slash = `${path}/`.indexOf('/');
  const rest = path.slice(slash);
  const prefix = rest.split('/').filter(Boolean).join('/');
  return {
    cron: cron.split(/\s+/).join(' '),
    bucket: path.slice(0, slash),
    prefix,
    oddSlashes: rest !== (prefix === '' ? '' : `/${prefix}`),
    iam: iam !== undefined,
  };
}

function notUnderstood(service: ServiceName, why: string, lines: string): PgbackupError {
  return new PgbackupError('refused', `The schedule of dokku-postgres for ${service} ${why}:\n${lines}`, {
    hint:
      `Set up by hand what it does: dokku pgbackup:storage-create, dokku pgbackup:schedule ${service} "…", then dokku postgres:backup-unschedule ${service}. ` +
      `Or write it anew (dokku postgres:backup-schedule ${service} "<schedule>" <bucket>) and try again`,
  });
}
