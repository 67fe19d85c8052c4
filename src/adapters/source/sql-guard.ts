import { Transform, type TransformCallback } from 'node:stream';

import { messageOf, PgbackupError } from '../../domain/errors.ts';
import type { SqlReport } from '../../domain/source.ts';
import { SqlFilter } from './sql-filter.ts';

/** Chunks of a file come in this size; smaller ones would stop and start the stream for each. */
const BUFFERED = 1024 * 1024;

export interface SqlGuardOptions {
  /** Major version of the server that will run the SQL. */
  readonly serverMajor: number;
}

/**
 * Lets a plain SQL dump through to psql, without what would leave the scratch database. What a dump holds
 * beyond what pg_dump writes (psql commands, files and programs of the server, roles, other databases)
 * fails the stream with a `PgbackupError` `refused` that names the line. Lines keep their numbers, so that
 * psql's messages fit the file.
 *
 * This keeps accidents out, not malice: functions, triggers and DO blocks of a dump are code, and the
 * server runs them with the rights of the restoring role.
 */
export class SqlGuard extends Transform {
  private readonly cutter: SqlFilter;

  constructor({ serverMajor }: SqlGuardOptions) {
    super({ readableHighWaterMark: BUFFERED, writableHighWaterMark: BUFFERED });
    this.cutter = new SqlFilter(serverMajor);
  }

  /** What was seen so far; only after the stream's end can `complete` be true. */
  report(): SqlReport {
    return this.cutter.report();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.run(chunk, false, done);
  }

  override _flush(done: TransformCallback): void {
    this.run(Buffer.alloc(0), true, done);
  }

  private run(chunk: Buffer, last: boolean, done: TransformCallback): void {
    try {
      for (const piece of this.cutter.write(chunk, last)) this.push(piece);
    } catch (error) {
      done(error instanceof Error ? error : new PgbackupError('damaged', messageOf(error)));
      return;
    }
    done();
  }
}
