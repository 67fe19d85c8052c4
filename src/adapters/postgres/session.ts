import * as v from 'valibot';
import { PgbackupError } from '../../domain/errors.ts';
import type { Exec, Sidecar } from '../docker/sidecar.ts';
import { onLine } from '../lines.ts';
import { connectionTo } from './quote.ts';

interface Waiting {
  resolve(lines: string[]): void;
  reject(error: PgbackupError): void;
}

/**
 * A psql in the sidecar, held open and asked one thing at a time. psql rather than a driver: it comes with
 * the server's image, needs no route to the container's network, and so works wherever the sidecar does.
 */
export class Session implements AsyncDisposable {
  readonly #exec: Exec;
  readonly #mark: string;
  readonly #lines: string[] = [];
  #before: Promise<unknown> = Promise.resolve();
  #waiting: Waiting | undefined;
  #ended: PgbackupError | undefined;

  private constructor(exec: Exec, mark: string) {
    this.#exec = exec;
    this.#mark = mark;
    onLine(exec.stdout, (line) => this.#take(line));
    void exec.done.then(
      ({ stderr, exitCode }) => this.#end(stderr.trim() || `psql ended (exit ${exitCode ?? 'by a signal'})`),
      (error: unknown) => this.#end(String(error)),
    );
  }

  /** @throws PgbackupError postgres, when the database cannot be connected to. */
  static async open(sidecar: Sidecar, database: string, env: Readonly<Record<string, string>> = {}): Promise<Session> {
    // No psqlrc; no password prompt; unaligned tuples, so that each row is one line of JSON.
    const exec = await sidecar.exec(['psql', '-X', '-q', '-A', '-t', '-w', '-d', connectionTo(database)], env);
    const session = new Session(exec, `pgbackup-${crypto.randomUUID()}`);
    await session.run('SET client_encoding = UTF8');
    return session;
  }

  /** Runs statements. Of several, the last one's outcome counts: give one at a time. @throws PgbackupError postgres. */
  async run(sql: string): Promise<void> {
    await this.#ask(sql);
  }

  /** The rows of a query, each checked against the schema. @throws PgbackupError postgres. */
  async rows<Schema extends v.GenericSchema>(schema: Schema, sql: string): Promise<v.InferOutput<Schema>[]> {
    const lines = await this.#ask(`SELECT row_to_json(t)::text FROM (${sql}) AS t`);
    return lines.filter(Boolean).map((line) => v.parse(schema, JSON.parse(line)));
  }

  /** The only row of a query. @throws PgbackupError postgres. */
  async row<Schema extends v.GenericSchema>(schema: Schema, sql: string): Promise<v.InferOutput<Schema>> {
    const [first] = await this.rows(schema, sql);
    if (first === undefined) throw new PgbackupError('postgres', 'A query that should give one row gave none');
    return first;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // psql reads the end of its input only after the statement that runs: that one is abandoned.
    if (this.#waiting) this.#exec.kill();
    this.#exec.stdin.end();
    await this.#exec.done.catch(() => {});
  }

  /** One at a time: whoever asks while another answer is awaited waits too. */
  #ask(sql: string): Promise<string[]> {
    const answer = this.#before.then(() => this.#send(sql));
    this.#before = answer.then(
      () => undefined,
      () => undefined,
    );
    return answer;
  }

  #send(sql: string): Promise<string[]> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      // The message comes last on the line since it may hold anything.
      this.#exec.stdin.write(`${sql}\n;\n\\echo ${this.#mark} :SQLSTATE :LAST_ERROR_MESSAGE\n`);
    });
  }

  #take(line: string): void {
    if (!line.startsWith(this.#mark)) {
      this.#lines.push(line);
      return;
    }
    const waiting = this.#waiting;
    const lines = this.#lines.splice(0);
    this.#waiting = undefined;
    const state = line.slice(this.#mark.length + 1, this.#mark.length + 6);
    if (state === '00000') waiting?.resolve(lines);
    else waiting?.reject(new PgbackupError('postgres', `Postgres says: ${line.slice(this.#mark.length + 7)} (SQLSTATE ${state})`));
  }

  #end(reason: string): void {
    this.#ended = new PgbackupError('postgres', `The connection to Postgres ended: ${reason}`);
    this.#waiting?.reject(this.#ended);
    this.#waiting = undefined;
  }
}
