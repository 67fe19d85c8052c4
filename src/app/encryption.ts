import { PgbackupError } from '../domain/errors.ts';
import type { ServiceName } from '../domain/names.ts';
import { parseRecipients } from '../domain/recipients.ts';
import type { EncryptionTarget, Ports } from '../ports.ts';

/**
 * To whom the archives of a service are encrypted: as its own settings say, else those for all. With the value none a
 * service has no part in what is set for all. @throws PgbackupError usage, for settings that contradict each other.
 */
export async function encryptionTarget(ports: Pick<Ports, 'settings'>, service: ServiceName): Promise<EncryptionTarget | undefined> {
  for (const scope of [service, '--global'] as const) {
    const values = await ports.settings.read(scope);
    const recipients = values.get('recipients') ?? '';
    const passphrase = values.get('passphrase') ?? '';
    if (recipients === 'none' && passphrase === '') return undefined;
    const named = recipients !== '' && recipients !== 'none';
    if (named && passphrase !== '') throw contradiction(scope);
    if (named) return { kind: 'recipients', recipients: parseRecipients(recipients) };
    if (passphrase !== '') return { kind: 'passphrase', passphrase };
  }
  return undefined;
}

/** Age knows no file that both a passphrase and a key open. */
export function contradiction(scope: string): PgbackupError {
  return new PgbackupError('usage', 'An archive is encrypted either to recipients or with a passphrase, and both are set', {
    hint: `Put one of them back to its default: dokku pgbackup:set ${scope} passphrase, or: dokku pgbackup:set ${scope} recipients`,
  });
}
