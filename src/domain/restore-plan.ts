import { formatAge, formatBytes, formatCount, formatTables, formatTime } from './format.ts';
import { totalRows, type AppRevision, type Manifest } from './manifest.ts';
import type { PreviousDatabase } from './previous.ts';
import type { InspectedSource } from './source.ts';

/** What a restore was asked to read, once it has been looked at. */
export type PlannedSource =
  | { readonly kind: 'backup'; readonly manifest: Manifest }
  | {
      readonly kind: 'file';
      readonly label: string;
      readonly inspected: InspectedSource;
      readonly sha256: string;
      /** A checksum was given for it, and is right. */
      readonly checksumGiven: boolean;
      readonly serverMajor: number | undefined;
      readonly roles: readonly string[];
      readonly extensions: readonly string[];
      readonly contained: readonly string[];
      /** Tables that it makes; undefined: not known. */
      readonly tables: number | undefined;
    };

/** An app linked to the service, as it is now. */
export interface AppNow {
  readonly revision: AppRevision;
  readonly deployLocked: boolean;
  /** Migration files changed between the backup's commit and the app's; undefined: not known. */
  readonly migrations: readonly string[] | undefined;
}

/** All that decides whether and how a restore may go on. */
export interface RestoreFacts {
  readonly service: string;
  readonly database: string;
  readonly source: PlannedSource;
  readonly serverMajor: number;
  readonly serverRoles: readonly string[];
  readonly serverExtensions: readonly string[];
  /** undefined: there is no such database now. */
  readonly live: { readonly bytes: number; readonly tables: number } | undefined;
  /** Bytes free on the disk of the service's data. */
  readonly freeBytes: number;
  readonly apps: readonly AppNow[];
  readonly preparedTransactions: readonly string[];
  readonly logicalSlots: readonly string[];
  readonly subscriptions: readonly string[];
  readonly now: Date;
  /** The database that an earlier restore set aside, if it is still kept. */
  readonly previous: PreviousDatabase | undefined;
}

export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

/** What a restore is going to do: shown before it is confirmed, and by `--dry-run` instead of doing it. */
export interface RestorePlan {
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
  /** Label and text of each line of the confirmation. */
  readonly lines: readonly (readonly [string, string])[];
  /** What is at stake, and what the confirmation is for, as a refusal without a terminal says it. */
  readonly stake: string;
  readonly purpose: string;
  /** False where the source names roles that are not here: everything then belongs to the login role. */
  readonly withOwners: boolean;
  /** Bytes that the restored database is expected to take. */
  readonly expectedBytes: number;
}

const gibibyte = 1024 ** 3;

/** Decides by the facts alone. */
export function planRestore(facts: RestoreFacts): RestorePlan {
  const { source } = facts;
  const needs =
    source.kind === 'backup'
      ? { major: source.manifest.server.major, roles: source.manifest.roles, extensions: source.manifest.extensions.map((e) => e.name) }
      : { major: source.serverMajor, roles: source.roles, extensions: source.extensions };
  const missingRoles = needs.roles.filter((role) => !facts.serverRoles.includes(role));
  const expectedBytes = expectBytes(facts);
  return {
    refusals: [...refuseServer(facts, needs), ...refuseBusy(facts), ...refuseDisk(facts, expectedBytes), ...refuseSchemas(facts)],
    warnings: [
      ...(missingRoles.length > 0
        ? [`These roles are not on this server: ${missingRoles.join(', ')}. Everything will belong to the login role, without grants.`]
        : []),
      ...(source.kind === 'file' && !source.checksumGiven
        ? [
            'This file carries no checksum: it decodes to its end, but whether its data is what was dumped is unproven (--sha256 takes one).',
          ]
        : []),
      ...(source.kind === 'file' && source.contained.length > 0
        ? [`Left out, since it would leave the scratch database: ${source.contained.join('; ')}`]
        : []),
      ...warnFewer(facts),
      ...warnPrevious(facts),
      ...warnRevisions(facts),
      ...(facts.apps.length > 1
        ? [`Several apps use this service, and all of them get the restored data: ${facts.apps.map((app) => app.revision.name).join(', ')}`]
        : []),
    ],
    lines: describe(facts),
    ...describeStake(facts),
    withOwners: missingRoles.length === 0,
    expectedBytes,
  };
}

function expectBytes({ source, live }: RestoreFacts): number {
  if (source.kind === 'backup') return source.manifest.databaseBytes;
  // A guess: a compressed archive grows about sixfold with its indexes, plain SQL about one and a half times.
  const packed = source.inspected.format === 'custom' || source.inspected.wrappings.length > 0;
  return Math.max(live?.bytes ?? 0, (source.inspected.size ?? 0) * (packed ? 6 : 1.5));
}

function refuseServer(
  facts: RestoreFacts,
  needs: { readonly major: number | undefined; readonly extensions: readonly string[] },
): Refusal[] {
  const missing = needs.extensions.filter((name) => !facts.serverExtensions.includes(name));
  return [
    ...(needs.major !== undefined && needs.major > facts.serverMajor
      ? [
          {
            message: `The source is from PostgreSQL ${needs.major}, and service ${facts.service} runs ${facts.serverMajor}: a dump cannot go back to an older major version`,
            hint: `Restore it into a newer service: dokku postgres:create ${facts.service}-new --image-version ${needs.major}, then --into ${facts.service}-new`,
          },
        ]
      : []),
    ...(missing.length > 0
      ? [
          {
            message: `The image of service ${facts.service} lacks extensions that the source needs: ${missing.join(', ')}`,
            hint: `Use an image that has them: dokku postgres:upgrade ${facts.service} --image <image> --image-version <version>`,
          },
        ]
      : []),
  ];
}

function refuseBusy(facts: RestoreFacts): Refusal[] {
  const deploying = facts.apps.filter((app) => app.deployLocked).map((app) => app.revision.name);
  return [
    ...(deploying.length > 0
      ? [
          {
            message: `A deploy of ${deploying.join(', ')} is running`,
            hint: `Wait for it to end; a stale lock goes with: dokku apps:unlock ${deploying[0] ?? ''}`,
          },
        ]
      : []),
    ...(facts.preparedTransactions.length > 0
      ? [
          {
            message: `Database ${facts.database} has prepared transactions: ${facts.preparedTransactions.join(', ')}`,
            hint: 'Finish each of them: COMMIT PREPARED or ROLLBACK PREPARED',
          },
        ]
      : []),
    ...(facts.logicalSlots.length > 0
      ? [
          {
            message: `Database ${facts.database} has logical replication slots, which would silently follow the old data: ${facts.logicalSlots.join(', ')}`,
            hint: 'Stop their subscribers and drop them: SELECT pg_drop_replication_slot(…)',
          },
        ]
      : []),
    ...(facts.subscriptions.length > 0
      ? [
          {
            message: `Database ${facts.database} has enabled subscriptions, which would stay with the old data: ${facts.subscriptions.join(', ')}`,
            hint: 'Disable them: ALTER SUBSCRIPTION … DISABLE; after the restore, create them anew',
          },
        ]
      : []),
  ];
}

function refuseDisk({ freeBytes, source, service }: RestoreFacts, expectedBytes: number): Refusal[] {
  // Beside the second copy the server writes WAL, which it recycles at about a gibibyte.
  const needed = expectedBytes * 1.1 + Math.min(expectedBytes, gibibyte);
  if (freeBytes >= needed) return [];
  const estimate = source.kind === 'file' ? ' (an estimate from the size of the file)' : '';
  return [
    {
      message: `Not enough disk for a second copy of the database: ${formatBytes(needed)} needed${estimate}, ${formatBytes(freeBytes)} free, ${formatBytes(needed - freeBytes)} missing`,
      hint: `Free some space on the disk of service ${service}, or restore into a service on another host`,
    },
  ];
}

function refuseSchemas({ source, live, service }: RestoreFacts): Refusal[] {
  if (source.kind !== 'backup' || source.manifest.schemas.length === 0 || !live || live.tables === 0) return [];
  return [
    {
      message: `The backup holds only schema ${source.manifest.schemas.join(', ')}, and swapping it in would take everything else away`,
      hint: `Restore it into an empty service: dokku postgres:create ${service}-part, then --into ${service}-part`,
    },
  ];
}

/** A dump of one table, restored, is a database of one table. */
function warnFewer({ source, live, service }: RestoreFacts): string[] {
  if (source.kind !== 'file' || source.tables === undefined || !live || source.tables >= live.tables) return [];
  return [
    `The file makes ${formatTables(source.tables)}, and ${service} holds ${formatTables(live.tables)} now: what is not in the file will not be in the database`,
  ];
}

function warnPrevious({ previous, live }: RestoreFacts): string[] {
  if (!previous || !live) return [];
  const since = formatTime(previous.since);
  return [
    `Only one previous database is kept: that from before ${previous.source} was swapped in (${since}) will be dropped; undo then leads back to the database of now`,
  ];
}

function warnRevisions({ source, apps }: RestoreFacts): string[] {
  if (source.kind !== 'backup') return [];
  return apps.flatMap(({ revision, migrations }) => {
    const then = source.manifest.apps.find((app) => app.name === revision.name);
    if (!then?.sha || !revision.sha || sameCommit(then.sha, revision.sha)) return [];
    const files =
      migrations === undefined
        ? ''
        : migrations.length === 0
          ? '; no migration file differs'
          : `; migration files that differ: ${migrations.join(', ')}`;
    return [`App ${revision.name} runs ${revision.sha} now, and ran ${then.sha} at the backup${files}`];
  });
}

/** Older Dokku prints short shas: one that begins the other is the same commit. */
export function sameCommit(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function describeStake({ service, database, live }: RestoreFacts): Pick<RestorePlan, 'stake' | 'purpose'> {
  if (!live) return { stake: `database ${database} of ${service} does not exist and would be made`, purpose: 'To make it' };
  const purpose = live.tables === 1 ? 'To replace it' : live.tables === 0 ? 'To replace the database' : 'To replace them';
  return { stake: `${service} already holds ${formatTables(live.tables)}`, purpose };
}

function describe(facts: RestoreFacts): [string, string][] {
  const { source, live, apps } = facts;
  const now = live ? `${formatBytes(live.bytes)}, ${formatTables(live.tables)}; kept aside for undo` : 'does not exist; it will be made';
  const lines: [string, string][] = [
    ['Service', `${facts.service} (PostgreSQL ${facts.serverMajor})`],
    ['Database now', `${facts.database}: ${now}`],
  ];
  if (source.kind === 'backup') {
    const { manifest } = source;
    lines.push(
      ['Backup', manifest.id],
      ['Taken', `${formatTime(manifest.startedAt)} (${formatAge(facts.now, new Date(manifest.startedAt))} ago)`],
    );
    lines.push([
      'Holds',
      `${formatCount(totalRows(manifest.rows))} rows in ${formatTables(manifest.rows.length)}, ${formatBytes(manifest.databaseBytes)}, from PostgreSQL ${manifest.server.version}`,
    ]);
    lines.push(...manifest.apps.map((app): [string, string] => ['Code then', `${app.name} at ${app.sha ?? 'an unknown commit'}`]));
  } else {
    const wrappings = source.inspected.wrappings.length > 0 ? ` in ${source.inspected.wrappings.join(', ')}` : '';
    const { size } = source.inspected;
    lines.push(
      ['File', source.label],
      ['Kind', `${source.inspected.format} dump${wrappings}${size === undefined ? '' : `, ${formatBytes(size)}`}`],
      ['SHA-256', source.sha256],
    );
  }
  lines.push(...apps.map((app): [string, string] => ['Code now', `${app.revision.name} at ${app.revision.sha ?? 'an unknown commit'}`]));
  return lines;
}
