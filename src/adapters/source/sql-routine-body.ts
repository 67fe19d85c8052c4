/** The words by which psql tells `CREATE [OR REPLACE] FUNCTION|PROCEDURE`, by their first letters. */
const LEAD: Readonly<Record<string, string>> = { create: 'c', or: 'o', replace: 'r', function: 'f', procedure: 'p' };
const ROUTINE = /^c(?:[fp]|or[fp])/;

/**
 * Follows the words of one statement to know whether it is inside the body of an SQL-standard function
 * (BEGIN ATOMIC … END), where semicolons do not end it. Word for word the heuristic of psqlscan.l.
 */
export class RoutineBody {
  /** Whether the next words matter; in most statements none does after the first. */
  watching = true;
  private lead = '';
  private depth = 0;

  get open(): boolean {
    return this.depth > 0;
  }

  reset(): void {
    this.watching = true;
    this.lead = '';
    this.depth = 0;
  }

  /** Takes the next unquoted word. */
  word(text: string, inParens: boolean): void {
    const word = text.toLowerCase();
    if (this.lead.length < 4) {
      this.lead += LEAD[word] ?? '-';
      this.watching = this.lead.startsWith('c') && (this.lead.length < 4 || ROUTINE.test(this.lead));
    }
    if (inParens || !ROUTINE.test(this.lead)) return;
    if (word === 'begin' || (word === 'case' && this.depth > 0)) this.depth += 1;
    else if (word === 'end' && this.depth > 0) this.depth -= 1;
  }
}
