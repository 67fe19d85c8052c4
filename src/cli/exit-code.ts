import { isOutcomeUnknown, PgbackupError, type ErrorCode } from '../domain/errors.ts';

/** Exit codes, as the guide lists them. 10 is Dokku's word for "not my command" and never used. */
const exitCodes: Readonly<Record<ErrorCode, number>> = {
  usage: 2,
  partial: 3,
  'not-found': 4,
  'no-backup': 4,
  refused: 5,
  confirmation: 5,
  damaged: 5,
  locked: 6,
  storage: 7,
  verification: 8,
  postgres: 9,
  docker: 9,
  dokku: 9,
  interrupted: 130,
};

/**
 * The exit code for whatever was thrown; what is not a PgbackupError is a bug: 1.
 * @param signalCode that of a signal which came before. It says "taken back", and so counts wherever that is known.
 */
export function exitCodeOf(error: unknown, signalCode?: number): number {
  if (signalCode !== undefined && !isOutcomeUnknown(error)) return signalCode;
  return error instanceof PgbackupError ? exitCodes[error.code] : 1;
}
