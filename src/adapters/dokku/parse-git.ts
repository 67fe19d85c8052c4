import * as v from 'valibot';
import type { AppRevision } from '../../domain/manifest.ts';
import type { AppName } from '../../domain/names.ts';
import { parseReport } from './parse-info.ts';

/** What `git:report` says of an app, before any of it is believed. */
export interface GitReport {
  readonly sha: string;
  readonly deployBranch: string;
  readonly lastUpdatedAt: string;
  readonly revEnvVar: string;
}

const json = v.record(v.string(), v.string());

/** Reads `git:report <app>` as text, the form that every Dokku prints; missing lines give empty fields. */
export function parseGitReport(text: string): GitReport {
  const report = parseReport(text);
  const value = (...keys: string[]): string => keys.map((key) => report.get(key) ?? '').find((found) => found !== '') ?? '';
  return {
    sha: value('Git sha'),
    deployBranch: value('Git deploy branch', 'Git computed deploy branch', 'Git global deploy branch'),
    lastUpdatedAt: value('Git last updated at'),
    revEnvVar: value('Git rev env var'),
  };
}

/** True for a commit's name. git:report says the word HEAD for apps deployed from a branch other than the bare repository's. */
export function isSha(text: string): boolean {
  return /^[0-9a-f]{7,40}$/.test(text);
}

/** The commit in `apps:report --format json`, where the app was deployed by git. */
export function shaOfAppReport(text: string): string | undefined {
  try {
    const report = v.parse(json, JSON.parse(text));
    const found = report['app-deploy-source-metadata'] ?? report['deploy-source-metadata'] ?? '';
    return isSha(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Puts together what was learnt; the first believable sha wins. */
export function makeRevision(app: AppName, git: GitReport, fromConfig: string | undefined, fromApp: string | undefined): AppRevision {
  const candidates = [
    ['git:report', git.sha],
    ['config', fromConfig],
    ['apps:report', fromApp],
  ] as const;
  const found = candidates.find(([, sha]) => sha !== undefined && isSha(sha));
  const seconds = /^\d{1,12}$/.test(git.lastUpdatedAt) ? Number(git.lastUpdatedAt) : undefined;
  return {
    name: app,
    sha: found?.[1] ?? null,
    shaSource: found?.[0] ?? null,
    deployBranch: git.deployBranch || null,
    lastUpdatedAt: seconds === undefined ? null : new Date(seconds * 1000).toISOString(),
  };
}
