import { PgbackupError } from '../../src/domain/errors.ts';

/** Which call goes wrong, and how. */
export interface Fault {
  /** Number of the call, from 0, in the order in which they are made. */
  readonly index: number;
  /** What the call had done by then: nothing, all of it, or as much as can be seen of it halfway. */
  readonly effect: 'none' | 'whole' | 'torn';
  /** once: this call alone. server: the connection to Postgres is lost with it. process: kill -9, nothing works any more. */
  readonly scope: 'once' | 'server' | 'process';
}

/** The connection that a call goes over; lost, all calls over it fail. */
export interface Connection {
  lost: boolean;
}

/** Counts every call that leaves a use case, and makes some of them fail. */
export class Faults {
  readonly calls: string[] = [];
  readonly #faults: readonly Fault[];
  readonly #watch: (call: string) => void;
  #dead = false;

  /** @param watch looks at the world after each call. */
  constructor(faults: Fault | readonly Fault[] = [], watch: (call: string) => void = () => {}) {
    this.#faults = [faults].flat();
    this.#watch = watch;
  }

  /** The process of this use case was killed. */
  get dead(): boolean {
    return this.#dead;
  }

  /** How many of the faults have come to pass. */
  get struck(): number {
    return this.#faults.filter((fault) => this.calls.length > fault.index).length;
  }

  async call<T>(name: string, action: () => T | Promise<T>, torn: () => void = () => {}, connection?: Connection): Promise<T> {
    // As any call to the world does: others get their turn first.
    await Promise.resolve();
    this.#refuse(name, connection);
    const index = this.calls.push(name) - 1;
    const fault = this.#faults.find((candidate) => candidate.index === index);
    if (!fault) {
      const result = await action();
      this.#watch(name);
      return result;
    }
    if (fault.scope === 'process') this.#dead = true;
    if (fault.scope === 'server' && connection) connection.lost = true;
    if (fault.effect === 'whole') await action();
    if (fault.effect === 'torn') torn();
    this.#watch(name);
    throw new PgbackupError('postgres', `injected: call ${index}, ${name}`);
  }

  #refuse(name: string, connection: Connection | undefined): void {
    if (this.#dead) throw new PgbackupError('postgres', `the process is dead: ${name}`);
    if (connection?.lost) throw new PgbackupError('postgres', `the connection is lost: ${name}`);
  }
}
