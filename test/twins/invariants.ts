import { ownDatabasePrefix } from '../../src/domain/previous.ts';
import type { AppName } from '../../src/domain/names.ts';
import type { TwinApp } from './dokku.ts';
import { shop, type World } from './world.ts';

/** What was there before an operation that swaps databases. */
export interface Before {
  /** Title of the live database; undefined: there was none. */
  readonly live: string | undefined;
  /** Title of what is to become live. */
  readonly wanted: string;
  /** Titles of previous databases that may be recorded afterwards, by the title that is live then. */
  readonly previousOf: Readonly<Record<string, string | undefined>>;
  readonly apps: ReadonlyMap<AppName, TwinApp>;
}

export function appsOf(world: World): Map<AppName, TwinApp> {
  return new Map([...world.dokku.apps].map(([name, state]) => [name, { ...state }]));
}

/** True at every moment, whatever happens: the live database is the old one or the new one, whole. */
export function liveFlaw(world: World, before: Before): string | undefined {
  const live = world.databases.get('shop');
  if (!live) return before.live === undefined ? undefined : 'there is no live database';
  if (!live.content.whole) return `the live database holds ${live.content.title}`;
  if (live.content.title !== before.wanted && live.content.title !== before.live) return `the live database is ${live.content.title}`;
  if (!live.properties.comment?.startsWith('comment of')) return 'the live database has lost its comment';
  return undefined;
}

/** What is not in order once nothing is under way any more. */
export function settledFlaws(world: World, before: Before): string[] {
  const flaws: string[] = [];
  const live = world.databases.get('shop');
  const flaw = liveFlaw(world, before);
  if (flaw !== undefined) flaws.push(flaw);
  if (live && !live.allowsConnections) flaws.push('the live database refuses connections');
  if (world.disk.journals.size > 0) flaws.push('the journal is left');
  if (world.disk.spools.size > 0) flaws.push('a spool is left');
  if (world.postgres.sidecars.size > 0) flaws.push('a sidecar is left');
  const own = [...world.databases.keys()].filter((name) => name.startsWith(ownDatabasePrefix));
  const record = world.disk.previous.get(shop);
  const recorded = record === undefined ? undefined : (JSON.parse(record) as { database: string; live: string });
  if (own.some((name) => name.includes('scratch'))) flaws.push(`a scratch database is left: ${own.join(', ')}`);
  if (own.length > (recorded ? 1 : 0)) flaws.push(`databases that no record knows: ${own.join(', ')}`);
  if (recorded && !world.databases.has(recorded.database)) flaws.push('the recorded previous database is not there');
  if (recorded && recorded.live !== 'shop') flaws.push(`the record belongs to ${recorded.live}`);
  const previous = recorded && world.databases.get(recorded.database)?.content.title;
  const expected = before.previousOf[live?.content.title ?? 'none'];
  if (previous !== expected) flaws.push(`with ${live?.content.title} live the previous database is ${previous} and not ${expected}`);
  for (const [name, { maintenance, running }] of before.apps) {
    const now = world.dokku.apps.get(name);
    if (now?.maintenance !== maintenance) flaws.push(`maintenance of ${name} is ${now?.maintenance}, and was ${maintenance}`);
    if (now?.running !== running) flaws.push(`${name} is ${running ? 'stopped' : 'started'}`);
  }
  return flaws;
}
