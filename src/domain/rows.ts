import type { TableRows } from './manifest.ts';

/** What differs between the rows a backup holds and those counted after a restore, a sentence a table; tables only one side has count too. */
export function compareRows(expected: readonly TableRows[], counted: readonly TableRows[]): string[] {
  const key = (table: TableRows): string => JSON.stringify([table.schema, table.table]);
  const found = new Map(counted.map((table) => [key(table), table.rows]));
  const wanted = new Set(expected.map(key));
  return [
    ...expected.flatMap((table) => {
      const rows = found.get(key(table));
      if (rows === table.rows) return [];
      return [
        `${table.schema}.${table.table} has ${rows ?? 'no'} rows instead of ${table.rows}${rows === undefined ? ' (it is missing)' : ''}`,
      ];
    }),
    ...counted.filter((table) => !wanted.has(key(table))).map((table) => `${table.schema}.${table.table} should not be there`),
  ];
}
