/** Milliseconds. */
export interface Timeouts {
  /** From the first packet to a connection, with its TLS. */
  readonly connect: number;
  /** Without a single byte in either direction. */
  readonly stall: number;
  /** For one attempt at a request whose whole answer is awaited: a byte now and then keeps every stall away. */
  readonly whole: number;
  /** Without a byte while the storage joins parts, which takes Amazon minutes for a large object. */
  readonly complete: number;
  /** All that is tried to clean up after a failed upload. */
  readonly cleanUp: number;
  /** A sign that the storage wants the body it was announced; without one the body is sent all the same. */
  readonly proceed: number;
}

export interface RetryOptions {
  /** Attempts at one request, the first included. */
  readonly attempts: number;
  /** Attempts at one part of an upload that may have been under way for hours. */
  readonly partAttempts: number;
  /** Milliseconds: the wait before attempt n+1 is anything up to base × 2ⁿ⁻¹, at most cap. */
  readonly base: number;
  readonly cap: number;
}

/** What tests set, and nobody else needs to. */
export interface S3Options {
  readonly timeouts?: Partial<Timeouts>;
  readonly retry?: Partial<RetryOptions>;
  readonly clock?: { now(): Date };
  /** From 0 up to 1. */
  readonly random?: () => number;
  /** Of the instance metadata service; default: the address that AWS gives it. */
  readonly metadataEndpoint?: string;
}

/** The options with all that was left out. */
export interface Settled {
  readonly timeouts: Timeouts;
  readonly retry: RetryOptions;
  readonly now: () => Date;
  readonly random: () => number;
}

export function settle(options: S3Options): Settled {
  const { clock } = options;
  return {
    timeouts: { connect: 10_000, stall: 60_000, whole: 60_000, complete: 300_000, cleanUp: 20_000, proceed: 1000, ...options.timeouts },
    retry: { attempts: 6, partAttempts: 10, base: 250, cap: 20_000, ...options.retry },
    now: clock ? () => clock.now() : () => new Date(),
    random: options.random ?? Math.random,
  };
}
