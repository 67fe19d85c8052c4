import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, PgbackupError } from '../../domain/errors.ts';
import type { LegacyBackup } from '../../domain/legacy-backup.ts';
import type { ServiceName } from '../../domain/names.ts';
import type { Service } from '../../domain/service.ts';
import type { LegacyBackups } from '../../ports.ts';
import { isMissing } from '../files.ts';
import { run, type RunResult } from '../process.ts';

const callEnv = { DOKKU_TRACE: '', DOKKU_QUIET_OUTPUT: '', DOKKU_APP_NAME: '' };

/**
 * The backups of dokku-postgres: keys and passphrase in files of the service, for which it has no command that shows
 * them; the schedule by its own commands, which know where it lies.
 */
export class DokkuPostgresBackups implements LegacyBackups {
  async read(service: Service): Promise<LegacyBackup | undefined> {
    const value = (folder: string, name: string): string | undefined => valueIn(join(service.root, folder, name));
    const [accessKeyId, secretAccessKey] = [value('backup', 'AWS_ACCESS_KEY_ID'), value('backup', 'AWS_SECRET_ACCESS_KEY')];
    const found: LegacyBackup = {
      keys: accessKeyId !== undefined && secretAccessKey !== undefined ? { accessKeyId, secretAccessKey } : undefined,
      region: value('backup', 'AWS_DEFAULT_REGION'),
      endpoint: value('backup', 'ENDPOINT_URL'),
      signatureVersion: value('backup', 'AWS_SIGNATURE_VERSION'),
      passphrase: value('backup-encryption', 'ENCRYPTION_KEY'),
      publicKey: value('backup-encryption', 'ENCRYPT_WITH_PUBLIC_KEY_ID'),
      crontab: await this.#crontab(service.name),
    };
    return Object.values(found).some((part) => part !== undefined) ? found : undefined;
  }

  async unschedule(service: ServiceName): Promise<void> {
    const ended = await run('dokku', ['postgres:backup-unschedule', service], { env: callEnv });
    if (ended.exitCode !== 0) throw failure(`postgres:backup-unschedule ${service}`, ended);
    if ((await this.#crontab(service)) !== undefined)
      throw new PgbackupError('dokku', `dokku postgres:backup-unschedule ${service} said nothing, but the schedule is still there`, {
        hint: `Remove it as root: rm /etc/cron.d/dokku-postgres-${service}`,
      });
  }

  async #crontab(service: ServiceName): Promise<string | undefined> {
    const told = await run('dokku', ['postgres:backup-schedule-cat', service], { env: callEnv });
    if (told.exitCode === 0) return told.stdout;
    if (/There is no scheduled backup/.test(told.stderr)) return undefined;
    throw failure(`postgres:backup-schedule-cat ${service}`, told);
  }
}

/** As `$(cat file)` has it there; an empty file counts as none. @throws PgbackupError dokku, which shows nothing of it. */
function valueIn(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/[\r\n]+$/, '') || undefined;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new PgbackupError('dokku', `How dokku-postgres backs up cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: `Can user dokku read it? See: ls -l ${path}`,
    });
  }
}

function failure(what: string, { exitCode, stderr }: RunResult): PgbackupError {
  const said = stderr.replaceAll(/^ ! +/gm, '').trim();
  return new PgbackupError('dokku', `dokku ${what} failed (exit ${exitCode ?? 'by a signal'}): ${said}`, {
    hint: 'Is the postgres plugin installed? dokku plugin:list',
  });
}
