import { PgbackupError } from '../../src/domain/errors.ts';
import type { Postgres, PostgresServer, RestoreInput, ServerOptions } from '../../src/ports.ts';
import type { Service } from '../../src/domain/service.ts';
import { notRunning } from '../../src/domain/service.ts';
import { readDump, type TwinDatabase } from './content.ts';
import type { Faults } from './faults.ts';
import { TwinServer } from './server.ts';
import type { PostgresState } from './snapshot.ts';

export class TwinPostgres implements Postgres {
  readonly #state: PostgresState;
  readonly #faults: Faults;

  constructor(state: PostgresState, faults: Faults) {
    this.#state = state;
    this.#faults = faults;
  }

  async open(service: Service, options: ServerOptions): Promise<PostgresServer> {
    if (options.shares) this.#state.shares.push(options.shares);
    const stopped = notRunning(service);
    if (stopped) throw new PgbackupError('refused', stopped.message, { hint: stopped.hint });
    const { operation } = options.spool;
    await this.#faults
      .call('postgres.open', () => void this.#state.sidecars.add(operation))
      .catch((error: unknown) => {
        // The real one ends a sidecar that it cannot use; a killed one cannot.
        if (!this.#faults.dead) this.#state.sidecars.delete(operation);
        throw error;
      });
    const databases = this.#state.clusters.get(service.name) ?? new Map<string, TwinDatabase>();
    return new TwinServer(databases, this.#state, this.#faults, () => void this.#state.sidecars.delete(operation));
  }

  async decodeOffline(_image: string, input: RestoreInput): Promise<void> {
    await this.#faults.call('postgres.decodeOffline', async () => void readDump(Buffer.concat(await input.open().toArray())));
  }

  async removeSidecars(operation: string): Promise<void> {
    await this.#faults.call('postgres.removeSidecars', () => void this.#state.sidecars.delete(operation));
  }
}
