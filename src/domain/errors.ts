/**
 * The closed list of ways a command can end badly. `cli/exit-code.ts` maps each to its exit code,
 * so a new way of failing is added here and nowhere else.
 */
export type ErrorCode =
  | 'usage'
  | 'partial'
  | 'not-found'
  | 'no-backup'
  | 'refused'
  | 'confirmation'
  | 'damaged'
  | 'locked'
  | 'storage'
  | 'verification'
  | 'postgres'
  | 'docker'
  | 'dokku'
  | 'interrupted';

/** What a failure carries besides its message. */
export interface ErrorDetails {
  /** The next step, a sentence or a command line; several lines are allowed. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Nobody knows whether it was done: then not even Ctrl-C lets anyone say that it was taken back. */
  readonly outcomeUnknown?: boolean;
  /** It was turned away before anything was done: there is nothing to take back. */
  readonly turnedAway?: boolean;
}

/**
 * The one error class of this program. The message says what failed and which thing it was, the hint
 * says what to do next. Whatever else is thrown counts as a bug (exit 1).
 */
export class PgbackupError extends Error {
  override readonly name = 'PgbackupError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly outcomeUnknown: boolean;
  readonly turnedAway: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
    this.turnedAway = details.turnedAway ?? false;
  }
}

/** True for a failure after which nobody knows whether the thing was done. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof PgbackupError && error.outcomeUnknown;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
