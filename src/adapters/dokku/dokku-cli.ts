import { join } from 'node:path';
import { PgbackupError } from '../../domain/errors.ts';
import type { AppRevision } from '../../domain/manifest.ts';
import { isServiceName, type AppName, type ServiceName } from '../../domain/names.ts';
import type { Service } from '../../domain/service.ts';
import type { Dokku, MaintenanceState } from '../../ports.ts';
import { run, runWithFile, type RunResult } from '../process.ts';
import { isSha, makeRevision, parseGitReport, shaOfAppReport } from './parse-git.ts';
import { parseReport, parseServiceInfo } from './parse-info.ts';

const noSuchApp = 20;

/** Migration folders of the usual frameworks; a path counts when one of its folders has such a name. */
const migrationPaths = ['*migration*', '*migrations*', '*/migrate/*', '*liquibase*', '*flyway*', '*changelog*', '*alembic/versions*'];

/** Dokku's commands, run as the person who runs this plugin: what Dokku does not let them see does not exist for us. */
export class DokkuCli implements Dokku {
  readonly #root: string;
  readonly #lock: () => number | undefined;

  /**
   * @param root DOKKU_ROOT, where the apps' bare repositories lie.
   * @param lock the open file of the lock under which this process works. What takes an app down holds it too: when
   * this process is killed meanwhile, whoever puts the app back must not overtake it.
   */
  constructor(root: string, lock: () => number | undefined = () => undefined) {
    this.#root = root;
    this.#lock = lock;
  }

  async service(name: ServiceName): Promise<Service | undefined> {
    const info = await this.#call(['postgres:info', name]);
    if (info.exitCode === 0) return parseServiceInfo(name, info.stdout);
    if (/does not exist/.test(info.stderr)) return undefined;
    throw failure(`postgres:info ${name}`, info, 'Is the postgres plugin installed? dokku plugin:list');
  }

  async services(): Promise<readonly ServiceName[]> {
    const list = await run('plugn', ['trigger', 'service-list', 'postgres'], { env: callEnv });
    if (list.exitCode !== 0) throw failure('service-list postgres', list, 'Is the postgres plugin installed? dokku plugin:list');
    return list.stdout
      .split('\n')
      .map((line) => line.trim().replace(/^postgres:/, ''))
      .filter(isServiceName);
  }

  async appServices(app: AppName): Promise<readonly ServiceName[] | undefined> {
    // postgres:app-links answers for an app that is none, too.
    const [exists, links] = await Promise.all([this.#call(['apps:exists', app]), this.#call(['postgres:app-links', app])]);
    if (exists.exitCode === noSuchApp) return undefined;
    if (links.exitCode !== 0) throw failure(`postgres:app-links ${app}`, links);
    return links.stdout
      .split('\n')
      .map((line) => line.trim())
      .filter(isServiceName);
  }

  async revision(app: AppName): Promise<AppRevision> {
    const report = await this.#call(['git:report', app]);
    // An app that went away meanwhile, or one not ours to see, must not fail a backup.
    const git = parseGitReport(report.exitCode === 0 ? report.stdout : '');
    if (isSha(git.sha)) return makeRevision(app, git, undefined, undefined);
    const [config, app_] = await Promise.all([
      this.#call(['config:get', app, git.revEnvVar || 'GIT_REV']),
      this.#call(['apps:report', app, '--format', 'json']),
    ]);
    return makeRevision(app, git, config.stdout.trim(), shaOfAppReport(app_.stdout));
  }

  async maintenance(app: AppName): Promise<MaintenanceState> {
    const report = await this.#call(['maintenance:report', app]);
    if (report.exitCode === 0) return parseReport(report.stdout).get('Maintenance enabled') === 'true' ? 'on' : 'off';
    if (/is not a dokku command/.test(report.stderr)) return 'unavailable';
    throw failure(`maintenance:report ${app}`, report);
  }

  async setMaintenance(app: AppName, on: boolean): Promise<void> {
    await (on ? this.#takeDown(['maintenance:enable', app]) : this.#must(['maintenance:disable', app]));
  }

  async deployLocked(app: AppName): Promise<boolean> {
    return (await this.#call(['apps:locked', app])).exitCode === 0;
  }

  async running(app: AppName): Promise<boolean> {
    const report = await this.#call(['ps:report', app]);
    // `mixed` when some of its processes run.
    return report.exitCode === 0 && ['true', 'mixed'].includes(parseReport(report.stdout).get('Running') ?? '');
  }

  async stopApp(app: AppName): Promise<void> {
    await this.#takeDown(['ps:stop', app]);
  }

  async startApp(app: AppName): Promise<void> {
    await this.#must(['ps:start', app]);
  }

  async changedMigrations(app: AppName, from: string, to: string): Promise<readonly string[] | undefined> {
    const git = [
      '--git-dir',
      join(this.#root, app),
      'diff',
      '--name-only',
      '--end-of-options',
      from,
      to,
      '--',
      ...migrationPaths.map((path) => `:(icase,glob)**/${path}`),
      ...migrationPaths.map((path) => `:(icase)${path}`),
    ];
    const changed = await run('git', git);
    return changed.exitCode === 0 ? changed.stdout.split('\n').filter(Boolean) : undefined;
  }

  async #must(args: readonly string[]): Promise<void> {
    const result = await this.#call(args);
    if (result.exitCode !== 0) throw failure(args.join(' '), result);
  }

  async #takeDown(args: readonly string[]): Promise<void> {
    const lock = this.#lock();
    if (lock === undefined) return this.#must(args);
    const result = await runWithFile('dokku', args, lock, callEnv);
    if (result.exitCode !== 0) throw failure(args.join(' '), result);
  }

  #call(args: readonly string[]): Promise<RunResult> {
    return run('dokku', args, { env: callEnv });
  }
}

/** Not as told by `--trace` to us: a traced dokku writes to the stderr that is read here. */
const callEnv = { DOKKU_TRACE: '', DOKKU_QUIET_OUTPUT: '', DOKKU_APP_NAME: '' };

function failure(what: string, result: RunResult, hint?: string): PgbackupError {
  const said = result.stderr.replaceAll(/^ ! +/gm, '').trim();
  return new PgbackupError(
    'dokku',
    `dokku ${what} failed (exit ${result.exitCode ?? 'by a signal'}): ${said}`,
    hint === undefined ? {} : { hint },
  );
}
