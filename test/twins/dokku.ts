import type { AppName, ServiceName } from '../../src/domain/names.ts';
import type { AppRevision } from '../../src/domain/manifest.ts';
import type { Service } from '../../src/domain/service.ts';
import { PgbackupError } from '../../src/domain/errors.ts';
import type { Dokku, MaintenanceState } from '../../src/ports.ts';
import type { Faults } from './faults.ts';

export interface TwinApp {
  maintenance: MaintenanceState;
  running: boolean;
  deployLocked: boolean;
  sha: string | null;
  migrations: readonly string[] | undefined;
}

/** What Dokku knows, as long as the world lives. */
export interface DokkuState {
  readonly services: Map<ServiceName, Service>;
  readonly apps: Map<AppName, TwinApp>;
}

export class TwinDokku implements Dokku {
  readonly #state: DokkuState;
  readonly #faults: Faults;

  constructor(state: DokkuState, faults: Faults) {
    this.#state = state;
    this.#faults = faults;
  }

  async service(name: ServiceName): Promise<Service | undefined> {
    return this.#call(`service ${name}`, () => this.#state.services.get(name));
  }

  async services(): Promise<readonly ServiceName[]> {
    return this.#call('services', () => [...this.#state.services.keys()]);
  }

  async appServices(app: AppName): Promise<readonly ServiceName[] | undefined> {
    return this.#call(`appServices ${app}`, () => {
      if (!this.#state.apps.has(app)) return undefined;
      return [...this.#state.services.values()].filter((service) => service.apps.includes(app)).map((service) => service.name);
    });
  }

  async revision(app: AppName): Promise<AppRevision> {
    return this.#call(`revision ${app}`, () => {
      const { sha } = this.#must(app);
      return {
        name: app,
        sha,
        shaSource: sha === null ? null : 'git:report',
        deployBranch: 'main',
        lastUpdatedAt: '2026-11-20T03:00:00.000Z',
      };
    });
  }

  async maintenance(app: AppName): Promise<MaintenanceState> {
    return this.#call(`maintenance ${app}`, () => this.#must(app).maintenance);
  }

  async setMaintenance(app: AppName, on: boolean): Promise<void> {
    await this.#call(`setMaintenance ${app} ${on ? 'on' : 'off'}`, () => void (this.#must(app).maintenance = on ? 'on' : 'off'));
  }

  async deployLocked(app: AppName): Promise<boolean> {
    return this.#call(`deployLocked ${app}`, () => this.#must(app).deployLocked);
  }

  async running(app: AppName): Promise<boolean> {
    return this.#call(`running ${app}`, () => this.#must(app).running);
  }

  async stopApp(app: AppName): Promise<void> {
    await this.#call(`stopApp ${app}`, () => void (this.#must(app).running = false));
  }

  async startApp(app: AppName): Promise<void> {
    await this.#call(`startApp ${app}`, () => void (this.#must(app).running = true));
  }

  async changedMigrations(app: AppName): Promise<readonly string[] | undefined> {
    return this.#call(`changedMigrations ${app}`, () => this.#must(app).migrations);
  }

  #must(app: AppName): TwinApp {
    const found = this.#state.apps.get(app);
    if (!found) throw new PgbackupError('dokku', `App ${app} does not exist`);
    return found;
  }

  #call<T>(name: string, action: () => T): Promise<T> {
    return this.#faults.call(`dokku.${name}`, action);
  }
}
