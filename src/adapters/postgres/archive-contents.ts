import type { ArchiveContents } from '../../ports.ts';
import { rolesInSchemaSql } from '../source/sql-roles.ts';

/** What the SQL of an archive's schema (`pg_restore -s -f -`) tells about it. */
export function summarizeSchema(sql: string): ArchiveContents {
  const dumpedFrom = /^-- Dumped from database version (\d+)/m.exec(sql)?.[1];
  return {
    serverMajor: dumpedFrom === undefined ? undefined : Number(dumpedFrom),
    roles: rolesInSchemaSql(sql),
    extensions: [...sql.matchAll(/^CREATE EXTENSION (?:IF NOT EXISTS )?("(?:[^"]|"")+"|\w+)/gm)].map((match) => unquote(match[1] ?? '')),
    tables: [...sql.matchAll(/^CREATE (?:UNLOGGED )?TABLE /gm)].length,
    createsPublic: /^CREATE SCHEMA public;$/m.test(sql),
  };
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
