import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { AgeEncryption } from '../../src/adapters/crypto/age.ts';
import { MemoryStorage } from '../../src/adapters/storage/memory.ts';
import { PgbackupError } from '../../src/domain/errors.ts';
import type { AppName, ServiceName } from '../../src/domain/names.ts';
import { isAppName, parseServiceName } from '../../src/domain/names.ts';
import type { LegacyBackup } from '../../src/domain/legacy-backup.ts';
import type { StorageConfig } from '../../src/domain/storage-config.ts';
import type { StorageName } from '../../src/domain/storage-name.ts';
import type { InspectedSource } from '../../src/domain/source.ts';
import type {
  Clock,
  Encryption,
  Keyring,
  Origin,
  Ports,
  Reporter,
  Sources,
  Storage,
  StorageFinding,
  StorageKeys,
} from '../../src/ports.ts';
import { contentOf, databaseOf } from './content.ts';
import { type DokkuState, type TwinApp, TwinDokku } from './dokku.ts';
import { Faults } from './faults.ts';
import { FaultyStorage } from './faulty-storage.ts';
import { TwinPostgres } from './postgres.ts';
import type { PostgresState } from './snapshot.ts';
import { nothingMonitored, twinMonitoring } from './monitoring.ts';
import { type Delivery, twinNotifier } from './notifier.ts';
import { noSchedules, twinCron, twinSchedules, twinSlots } from './schedules.ts';
import { twinLegacyBackups } from './legacy-backups.ts';
import { twinStorages } from './storages.ts';
import { type DiskState, twinJournals, twinLocks, twinLog, twinPrevious, twinSettings, twinSpools } from './state.ts';

export const shop: ServiceName = parseServiceName('shop');

export function app(name: string): AppName {
  if (isAppName(name)) return name;
  throw new Error(`${name} is no name of an app`);
}

const fileScheme = '/memory/';

/** The storage of the world: in memory, with paths that its own sources can read. */
class Disk extends FaultyStorage {
  constructor() {
    super(new MemoryStorage('local'), new Faults());
  }

  override filePath(key: string): string {
    return fileScheme + key;
  }
}

/** What a person would have seen: of a dead process nothing. */
export class Transcript implements Reporter {
  readonly lines: string[] = [];
  readonly #faults: Faults;
  answer: string | undefined;
  constructor(faults: Faults) {
    this.#faults = faults;
  }
  get warnings(): string[] {
    return this.lines.filter((line) => line.startsWith('! ')).map((line) => line.slice(2));
  }
  step(text: string): void {
    this.#say(`-----> ${text}`);
  }
  detail(text: string): void {
    this.#say(text);
  }
  warn(text: string): void {
    this.#say(`! ${text}`);
  }
  #say(line: string): void {
    if (!this.#faults.dead) this.lines.push(line);
  }
  progress(): void {}
  async ask(): Promise<string | undefined> {
    return this.answer;
  }
}

/** A Dokku host with one service `shop`, linked to two apps: all that outlives the processes which work on it. */
export class World {
  readonly disk: DiskState = { journals: new Map(), previous: new Map(), log: [], settings: new Map(), spools: new Set() };
  readonly schedules = noSchedules();
  readonly dokku: DokkuState = { services: new Map(), apps: new Map() };
  readonly postgres: PostgresState;
  readonly storage: Storage = new Disk();
  /** Further storages by name. */
  readonly others = new Map<StorageName, Storage>();
  readonly storageConfigs = new Map<StorageName, StorageConfig>();
  readonly storageKeys = new Map<StorageName, StorageKeys>();
  findings: readonly StorageFinding[] = [];
  legacy: LegacyBackup | undefined;
  /** Files that are no backups, by path. */
  readonly files = new Map<string, Buffer>();
  /** What was told to endpoints, and how they answer. */
  readonly delivered: Delivery[] = [];
  endpointsFail = false;
  readonly monitoring = nothingMonitored();
  freeBytes = 1e12;
  hostId = 'host-a';
  timeZone = 'UTC';
  #time = Date.parse('2026-11-20T03:15:00Z');
  #suffixes = 0;

  constructor(major = 18) {
    this.postgres = { clusters: new Map(), sidecars: new Set(), major, restored: [], dumped: [], shares: [], rewritten: [] };
    this.addService('shop', [app('web'), app('worker')]);
  }

  addService(name: string, apps: readonly AppName[]): void {
    const service = parseServiceName(name);
    this.dokku.services.set(service, {
      name: service,
      login: { user: 'postgres', password: 'secret', database: name },
      status: 'running',
      image: `postgres:${this.postgres.major}`,
      containerId: 'c0ffee',
      apps,
      root: `/services/${name}`,
    });
    for (const one of apps) {
      const state: TwinApp = {
        maintenance: 'off',
        running: true,
        deployLocked: false,
        sha: '273c289c47047bea84ff9cd1ab2d4334ea74b838',
        migrations: undefined,
      };
      if (!this.dokku.apps.has(one)) this.dokku.apps.set(one, state);
    }
    this.postgres.clusters.set(
      name,
      new Map([
        ['template1', databaseOf('template1', contentOf('template', 0))],
        ['postgres', databaseOf('postgres', contentOf('maintenance', 0))],
        [name, databaseOf(name, contentOf('old', 562))],
      ]),
    );
  }

  /** Databases of shop by name. */
  get databases(): Map<string, ReturnType<typeof databaseOf>> {
    const found = this.postgres.clusters.get('shop');
    if (!found) throw new Error('shop has no cluster');
    return found;
  }

  advance(seconds: number): void {
    this.#time += seconds * 1000;
  }

  /** A new process: its locks are free, and its faults its own. */
  boot(faults: Faults = new Faults()): {
    readonly ports: Ports;
    readonly faults: Faults;
    readonly transcript: Transcript;
    readonly stop: AbortController;
  } {
    const stop = new AbortController();
    const transcript = new Transcript(faults);
    const clock: Clock = {
      now: () => new Date((this.#time += 10)),
      suffix: () => (this.#suffixes += 1).toString(36).padStart(4, '0'),
    };
    const encryption = new AgeEncryption();
    const ports: Ports = {
      clock,
      pause: (milliseconds) => faults.call(`pause ${milliseconds}`, () => this.advance(milliseconds / 1000)),
      dokku: new TwinDokku(this.dokku, faults),
      postgres: new TwinPostgres(this.postgres, faults),
      locks: twinLocks(new Map(), faults, this.schedules),
      slots: twinSlots(this.schedules, faults),
      schedules: twinSchedules(this.schedules, faults),
      cron: twinCron(this.schedules, faults),
      journals: twinJournals(this.disk, faults),
      previous: twinPrevious(this.disk, faults),
      log: twinLog(this.disk, faults),
      settings: twinSettings(this.disk, faults),
      spools: twinSpools(this.disk, faults),
      sources: this.#sources(faults, encryption),
      host: {
        id: this.hostId,
        processors: 2,
        timeZone: this.timeZone,
        freeBytes: () => faults.call('host.freeBytes', () => this.freeBytes),
      },
      reporter: transcript,
      notifier: twinNotifier(this, faults),
      monitoring: twinMonitoring(this.monitoring, faults),
      storages: twinStorages(this, faults),
      legacyBackups: twinLegacyBackups(this, faults),
      signal: stop.signal,
      encryption,
    };
    return { ports, faults, transcript, stop };
  }

  #sources(faults: Faults, encryption: Encryption): Sources {
    const keysOf = new WeakMap<InspectedSource, Keyring>();
    const bytesOf = async (origin: Origin): Promise<Buffer> => {
      if (!('path' in origin)) return Buffer.concat(await (await origin.open()).toArray());
      const { path } = origin;
      if (path.startsWith(fileScheme)) return Buffer.concat(await (await this.storage.get(path.slice(fileScheme.length))).toArray());
      const found = this.files.get(path);
      if (!found) throw new PgbackupError('not-found', `There is no file ${path}`);
      return found;
    };
    const isAge = (bytes: Buffer): boolean => bytes.subarray(0, 19).toString() === 'age-encryption.org/';
    const plainOf = async (origin: Origin, keys: Keyring | undefined): Promise<Buffer> => {
      const bytes = await bytesOf(origin);
      if (!isAge(bytes)) return bytes;
      const plain = encryption.decrypt(keys ?? { identities: [], passphrase: undefined }, Readable.from([bytes]));
      return Buffer.concat(await Readable.from(plain).toArray());
    };
    return {
      inspect: (origin, keys) =>
        faults.call('sources.inspect', async () => {
          const [bytes, plain] = [await bytesOf(origin), await plainOf(origin, keys)];
          const inspected: InspectedSource = {
            format: plain.subarray(0, 5).toString() === 'PGDMP' ? 'custom' : 'sql',
            wrappings: isAge(bytes) ? ['age'] : [],
            member: undefined,
            size: 'path' in origin ? bytes.length : undefined,
            bare: 'path' in origin && !isAge(bytes),
          };
          keysOf.set(inspected, keys);
          return inspected;
        }),
      open: (origin, inspected) =>
        Readable.from(
          (async function* () {
            yield await plainOf(origin, keysOf.get(inspected));
          })(),
          { objectMode: false },
        ),
      inspectSql: (origin, inspected) =>
        faults.call('sources.inspectSql', async () => {
          const text = (await plainOf(origin, keysOf.get(inspected))).toString();
          return {
            fromPgDump: text.startsWith('--'),
            complete: text.endsWith('complete\n'),
            tables: 2,
            contained: [],
            roles: [],
            extensions: [],
            serverMajor: undefined,
          };
        }),
      hash: (origin) =>
        faults.call('sources.hash', async () => {
          const bytes = await bytesOf(origin);
          return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
        }),
      keep: async (bytes, spool) => {
        const path = `${spool.path}/fetched`;
        this.files.set(path, Buffer.concat(await bytes.toArray()));
        return path;
      },
      keepStdin: (spool) => faults.call('sources.keepStdin', () => `${spool.path}/stdin`),
      checksumBeside: () => faults.call('sources.checksumBeside', () => undefined),
      readKeyFile: (path) =>
        faults.call('sources.readKeyFile', async () => ({ text: (await bytesOf({ path })).toString(), readableByOthers: false })),
    };
  }
}
