import type { ArchiveContents } from '../../ports.ts';
import { eachStatement, rolesOf } from '../source/sql-roles.ts';
import { nameOf, skipIfExists, wordsAt } from '../source/sql-statement.ts';

/** What the SQL of an archive's schema (`pg_restore -s -f -`) tells about it. */
export function summarizeSchema(sql: string): ArchiveContents {
  const dumpedFrom = /^-- Dumped from database version (\d+)/m.exec(sql)?.[1];
  const roles = new Set<string>();
  const extensions: string[] = [];
  let tables = 0;
  let createsPublic = false;
  eachStatement(sql, (statement) => {
    for (const role of rolesOf(statement)) roles.add(role);
    if (wordsAt(statement, 0, 'create', 'extension')) extensions.push(nameOf(statement[skipIfExists(statement, 2)]) ?? '');
    if (wordsAt(statement, 0, 'create', 'table') || wordsAt(statement, 0, 'create', 'unlogged', 'table')) tables += 1;
    if (wordsAt(statement, 0, 'create', 'schema', 'public') && statement.length === 3) createsPublic = true;
  });
  return {
    serverMajor: dumpedFrom === undefined ? undefined : Number(dumpedFrom),
    roles: [...roles].toSorted(),
    extensions,
    tables,
    createsPublic,
  };
}
