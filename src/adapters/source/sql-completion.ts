const HEADER = '-- PostgreSQL database dump';
const CLOSING = '-- PostgreSQL database dump complete';
const VERSION = /^-- Dumped from database version (\d+)/;

/**
 * Watches for pg_dump's first and last lines among the comments between statements. A dump is whole if
 * every beginning has its end, and nothing follows the last one.
 */
export class CompletionWatch {
  fromPgDump = false;
  complete = false;
  serverMajor: number | undefined;
  private open = false;
  private broken = false;

  comment(text: string): void {
    const line = text.trimEnd();
    if (line === HEADER) {
      // a second one is legal behind the first (two dumps in one file), but not inside of it
      if (this.open) this.broken = true;
      this.open = true;
      this.fromPgDump = true;
    } else if (line === CLOSING) {
      if (!this.open) this.broken = true;
      this.open = false;
    } else {
      const version = VERSION.exec(line)?.[1];
      if (version !== undefined) this.serverMajor = Number(version);
    }
  }

  /** A statement or command that does something. */
  statement(): void {
    if (this.fromPgDump && !this.open) this.broken = true;
  }

  /** Its last line is half a line. */
  cutOff(): void {
    this.broken = true;
  }

  /** The end of the dump; `atRest` says that nothing was left open. */
  end(atRest: boolean): void {
    this.complete = this.fromPgDump && atRest && !this.open && !this.broken;
  }
}
