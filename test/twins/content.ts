import type { DatabaseProperties, TableRows } from '../../src/domain/manifest.ts';
import { PgbackupError } from '../../src/domain/errors.ts';

/** What a database of the twin server holds. */
export interface Content {
  readonly title: string;
  readonly tables: readonly TableRows[];
  readonly extensions: readonly string[];
  /** False while a restore is filling it, and for ever where that was cut off. */
  readonly whole: boolean;
}

export interface TwinDatabase {
  allowsConnections: boolean;
  properties: DatabaseProperties;
  content: Content;
}

export const empty: Content = { title: 'empty', tables: [], extensions: [], whole: true };

/** A whole database that can be told from others by its title and by its rows. */
export function contentOf(title: string, users: number): Content {
  return {
    title,
    tables: [
      { schema: 'public', table: 'users', rows: users },
      { schema: 'Odd schema', table: 'táble', rows: 3 },
    ],
    extensions: ['plpgsql'],
    whole: true,
  };
}

export function databaseOf(name: string, content: Content): TwinDatabase {
  return {
    allowsConnections: true,
    content,
    properties: {
      name,
      owner: 'postgres',
      encoding: 'UTF8',
      collate: 'en_US.utf8',
      ctype: 'en_US.utf8',
      localeProvider: 'c',
      locale: null,
      icuRules: null,
      tablespace: 'pg_default',
      connectionLimit: -1,
      comment: `comment of ${content.title}`,
      settings: [],
      grants: null,
    },
  };
}

const magic = 'PGDMP ';
const end = ' END';

/** The bytes of a dump; their end is marked, so that a cut is noticed as pg_restore notices it. */
export function dumpBytes(content: Content): Buffer {
  return Buffer.from(`${magic}${JSON.stringify(content)}${end}`);
}

/** @throws PgbackupError damaged. */
export function readDump(bytes: Buffer): Content {
  const text = bytes.toString('utf8');
  if (!text.startsWith(magic) || !text.endsWith(end))
    throw new PgbackupError('damaged', 'pg_restore: error: could not read from input file: end of file');
  const { title, tables, extensions } = JSON.parse(text.slice(magic.length, -end.length)) as Content;
  return { title, tables, extensions, whole: true };
}
