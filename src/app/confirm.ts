import { isBackupId } from '../domain/backup-id.ts';
import { PgbackupError } from '../domain/errors.ts';
import type { Reporter } from '../ports.ts';

/** How a person said yes beforehand. */
export interface Consent {
  /** The name typed after `--confirm`. */
  readonly confirm: string | undefined;
  readonly force: boolean;
}

/** Looks at `--confirm` alone: a wrong one is told before a long source is read. @throws PgbackupError confirmation. */
export function checkConsent(name: string, { confirm }: Consent, verb: string): void {
  if (confirm === undefined || confirm === name) return;
  throw new PgbackupError(
    'confirmation',
    `${verb} refused: --confirm says "${confirm}", and the ${isBackupId(name) ? 'backup' : 'service'} is ${name}`,
    { hint: `If ${name} is what you mean, add: --confirm ${name}` },
  );
}

/**
 * Type-the-name confirmation, as Dokku asks for it before it destroys something.
 * @param verb for the refusal: `Restore`, `Undo`.
 * @param stake what would be lost or replaced: `shop already holds 42 tables`.
 * @param purpose what the hint says the flag is for.
 * @throws PgbackupError confirmation, with nothing done.
 */
export async function confirmByName(
  reporter: Pick<Reporter, 'ask'>,
  name: string,
  consent: Consent,
  verb: string,
  stake: string,
  purpose = 'To go on',
): Promise<void> {
  checkConsent(name, consent, verb);
  if (consent.confirm === name || consent.force) return;
  const typed = await reporter.ask(`To proceed, type "${name}"`);
  if (typed === name) return;
  if (typed === undefined) {
    throw new PgbackupError('confirmation', `${verb} refused: ${stake}, and there is no terminal to confirm on.`, {
      hint: `${purpose}, add: --confirm ${name}`,
    });
  }
  throw new PgbackupError('confirmation', `${verb} refused: what was typed is not "${name}". Nothing has been changed.`);
}
