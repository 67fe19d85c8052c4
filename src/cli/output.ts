import { createInterface } from 'node:readline/promises';
import chalk, { chalkStderr } from 'chalk';
import { messageOf, PgbackupError } from '../domain/errors.ts';
import { formatBytes } from '../domain/format.ts';
import type { Reporter } from '../ports.ts';

export interface OutputOptions {
  readonly quiet: boolean;
  readonly trace: boolean;
  readonly json: boolean;
}

/** Text on the terminal in Dokku's style. Progress is drawn on a terminal only: a log gets whole lines. */
export class Output implements Reporter {
  options: OutputOptions = { quiet: false, trace: false, json: false };
  /** Steps go to stderr where stdout carries data. */
  stepsToStderr = false;
  #drawn = false;
  #phase: { since: number; shown: number } | undefined;

  /** A headline of something that begins. */
  step(text: string): void {
    this.#phase = { since: performance.now(), shown: 0 };
    this.#steps(`-----> ${printable(text)}`);
  }

  /** A line that belongs to the headline above it. */
  detail(text: string): void {
    this.#steps(`       ${printable(text)}`);
  }

  warn(text: string): void {
    this.#clear();
    process.stderr.write(`${printable(text).replaceAll(/^/gm, chalkStderr.red(' !     '))}\n`);
  }

  progress(done: number, total: number | undefined): void {
    if (this.options.quiet || this.options.json || !process.stderr.isTTY) return;
    const now = performance.now();
    this.#phase ??= { since: now, shown: 0 };
    // A rate of the first moments is none.
    if (now - this.#phase.shown < 200 || now - this.#phase.since < 500) return;
    this.#phase.shown = now;
    const rate = done / Math.max(0.001, (now - this.#phase.since) / 1000);
    const share = total === undefined || total === 0 ? '' : `, ${Math.min(99, Math.floor((done / total) * 100))} %`;
    this.#drawn = true;
    process.stderr.write(`\r\u001B[K       ${formatBytes(done)}, ${formatBytes(rate)}/s${share}`);
  }

  async ask(question: string): Promise<string | undefined> {
    if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
    this.#clear();
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    // Ctrl-D closes the input, and the question would be asked for ever: it counts as an empty answer.
    const closed = new Promise<string>((resolve, reject) => {
      lines.once('SIGINT', () => reject(new Error('Ctrl-C')));
      lines.once('close', () => resolve(''));
    });
    try {
      process.stderr.write(' !     WARNING: Potentially Destructive Action\n');
      return (await Promise.race([lines.question(` !     ${question}\n > `), closed])).trim();
    } catch (cause) {
      process.stderr.write('\n');
      throw new PgbackupError('interrupted', 'Interrupted before it was confirmed: nothing has been changed', { cause });
    } finally {
      lines.close();
    }
  }

  /** The result of a command: a headline and lines of label and text. Shown also when quiet. */
  result(headline: string, lines: readonly (readonly [string, string])[]): void {
    if (!this.options.quiet) this.line(chalk.bold(`=====> ${printable(headline)}`));
    const width = Math.max(0, ...lines.map(([label]) => label.length)) + 2;
    for (const [label, text] of lines) this.line(`       ${`${label}:`.padEnd(width)} ${onOneLine(printable(text))}`);
  }

  /** A line on stdout, as it is. */
  line(text: string): void {
    this.#clear();
    process.stdout.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** A table with a heading, columns as wide as they need to be. */
  table(heading: readonly string[], rows: readonly (readonly string[])[]): void {
    const all = (this.options.quiet ? rows : [heading, ...rows]).map((row) => row.map(onOneLine));
    const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
    // One write for all: a terminal or pipe is waited for at each.
    this.line(
      all
        .map((row) =>
          row
            .map((cell, column) => cell.padEnd(widths[column] ?? 0))
            .join('  ')
            .trimEnd(),
        )
        .map(printable)
        .join('\n'),
    );
  }

  /** An error as the person sees it: what, which, next step; with `--trace` also where it came from. */
  failure(error: unknown): void {
    const known = error instanceof PgbackupError;
    const hint = known
      ? error.hint
      : 'This is a bug of pgbackup. Please report it with what follows; the same command with --trace shows more';
    if (this.options.json) {
      this.#clear();
      process.stderr.write(
        `${JSON.stringify({ code: known ? error.code : 'bug', message: messageOf(error), ...(hint !== undefined && { hint }) })}\n`,
      );
    } else {
      this.warn(messageOf(error));
      if (hint !== undefined) this.warn(hint);
    }
    if (this.options.trace || !known) process.stderr.write(`${printable(stackOf(error))}\n`);
  }

  #steps(text: string): void {
    if (this.options.quiet || this.options.json) return;
    this.#clear();
    (this.stepsToStderr ? process.stderr : process.stdout).write(`${text}\n`);
  }

  #clear(): void {
    if (this.#drawn) process.stderr.write('\r\u001B[K');
    this.#drawn = false;
  }
}

/** Without what a terminal would obey: names and notes come out of databases and files that somebody else filled. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, '\uFFFD');
}

/** A note with a line end in it must not look like a line of ours. */
function onOneLine(text: string): string {
  return text.replaceAll(/\s*[\n\t]\s*/g, ' ');
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\nCaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
