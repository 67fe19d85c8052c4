import { isPlaceholder, judgeCopy, judgeEncoding, onlyConfigures, turnsConnectOff } from './sql-shapes.ts';
import { findWord, grantedOn, isWord, nameOf, skipIfExists, type Statement, wordsAt } from './sql-statement.ts';
import { DROP, KEEP, ONE_DATABASE, refuse, SERVER_WIDE, type Verdict } from './sql-verdict.ts';

/**
 * Decides, statement by statement, what of a plain dump may run in the scratch database. It keeps apart
 * what was made by accident or by `pg_dump -C`; it is no protection against a dump made to do harm, since
 * functions, triggers and DO blocks are code that runs in the server with the rights of the restoring role.
 */
export class SqlRules {
  /** The one database the dump may speak of, once it has named one. */
  database: string | undefined;
  /** Whether something was created yet: until then everything that drops is left out. */
  creating = false;
  readonly extensions = new Set<string>();
  /** Tables made so far. */
  tables = 0;
  /** Whether what was read last would be lost at the end of the file: a BEGIN without its COMMIT. */
  inTransaction = false;
  private readonly targetMajor: number;

  /** `targetMajor` is the major version of the server that will run the SQL. */
  constructor(targetMajor: number) {
    this.targetMajor = targetMajor;
  }

  /** Judges a statement by its tokens, or by those of its beginning where it is long. */
  judge(statement: Statement): Verdict {
    const first = statement[0]?.kind === 'word' ? statement[0].text : '';
    const verdict = this.rule(first, statement);
    this.followTransaction(first, statement);
    const neutral = ['', 'set', 'reset', 'begin', 'start', 'commit'].includes(first) || onlyConfigures(statement);
    if ((verdict.action === 'keep' || verdict.action === 'copy') && !neutral) this.creating = true;
    return verdict;
  }

  private followTransaction(first: string, statement: Statement): void {
    if (first === 'begin' || (first === 'start' && isWord(statement[1], 'transaction'))) this.inTransaction = true;
    const back = first === 'rollback' && !wordsAt(statement, 1, 'to') && findWord(statement, 1, 'to') === -1;
    if (first === 'commit' || first === 'end' || first === 'abort' || back)
      this.inTransaction = findWord(statement, 1, 'chain') !== -1 && findWord(statement, 1, 'no') === -1;
  }

  /** A `\connect`: allowed to the one database only. */
  connect(name: string): Verdict {
    return this.ofDatabase(name, `\\connect ${name}`);
  }

  private rule(first: string, statement: Statement): Verdict {
    switch (first) {
      case 'create':
        return this.create(statement);
      case 'alter':
        return this.alter(statement);
      case 'drop':
        return this.drop(statement);
      case 'copy':
        return judgeCopy(statement);
      case 'set':
        return this.set(statement);
      case 'grant':
      case 'revoke':
        return this.grant(first, statement);
      case 'comment':
      case 'security':
        return this.label(first, statement);
      case 'select':
        return this.select(statement);
      case 'update':
        // how pg_dump -C -c makes a template database droppable
        if (!wordsAt(statement, 1, 'pg_catalog') || !isWord(statement[3], 'pg_database')) return KEEP;
        return this.creating ? refuse('an UPDATE of pg_database', SERVER_WIDE) : { action: 'drop', note: 'UPDATE pg_database' };
      case 'load':
      case 'reassign':
        return refuse(first.toUpperCase(), SERVER_WIDE);
      case 'prepare':
        // it would block the renames of the swap
        return isWord(statement[1], 'transaction') ? refuse('PREPARE TRANSACTION', SERVER_WIDE) : KEEP;
      default:
        return KEEP;
    }
  }

  private create(statement: Statement): Verdict {
    const at = wordsAt(statement, 1, 'or', 'replace') ? 3 : 1;
    const kind = nameOf(statement[at]);
    switch (statement[at]?.kind === 'word' ? kind : undefined) {
      case 'database':
        return this.ofDatabase(nameOf(statement[at + 1]), `CREATE DATABASE ${nameOf(statement[at + 1])}`, true);
      case 'role':
      case 'group':
      case 'tablespace':
        return refuse(`CREATE ${kind?.toUpperCase()}`, SERVER_WIDE);
      case 'user':
        return isWord(statement[at + 1], 'mapping') ? KEEP : refuse('CREATE USER', SERVER_WIDE);
      case 'subscription':
        // a restored subscription must not begin to replicate (pitfall 40)
        if (turnsConnectOff(statement)) return KEEP;
        return refuse('CREATE SUBSCRIPTION without connect = false', 'Add "connect = false" to its options, as pg_dump does.');
      case 'extension': {
        const name = nameOf(statement[skipIfExists(statement, at + 1)]);
        if (name !== undefined) this.extensions.add(name);
        return KEEP;
      }
      case 'schema':
        // the scratch database has one already
        if (nameOf(statement[at + 1]) === 'public' && statement.length === at + 2) {
          this.creating = true;
          return { action: 'replace', text: 'CREATE SCHEMA IF NOT EXISTS public;' };
        }
        return KEEP;
      case 'table':
      case 'unlogged':
        this.tables += 1;
        return KEEP;
      case 'view':
        // pg_dump -c loosens views that depend on each other so; it is part of its dropping (dumpRule in pg_dump.c)
        return at === 3 && !this.creating && isPlaceholder(statement) ? DROP : KEEP;
      default:
        return KEEP;
    }
  }

  private alter(statement: Statement): Verdict {
    const second = statement[1]?.kind === 'word' ? statement[1].text : '';
    switch (second) {
      case 'database':
        return this.ofDatabase(nameOf(statement[2]), `ALTER DATABASE ${nameOf(statement[2])}`, true);
      case 'user':
        if (isWord(statement[2], 'mapping')) return KEEP;
        return this.alterRole(statement);
      case 'role':
      case 'group':
        return this.alterRole(statement);
      case 'tablespace':
      case 'system':
        return refuse(`ALTER ${second.toUpperCase()}`, SERVER_WIDE);
      case 'subscription':
        if (isWord(statement[3], 'owner', 'rename')) return KEEP;
        return refuse('an ALTER SUBSCRIPTION that may start it', 'Take it out of the file; run it after the restore where it is wanted.');
      default:
        // nothing is there yet that could lose a part
        return !this.creating && findWord(statement, 2, 'drop', 'detach') !== -1 ? DROP : KEEP;
    }
  }

  private alterRole(statement: Statement): Verdict {
    if (!wordsAt(statement, 3, 'in', 'database')) return refuse('ALTER ROLE', SERVER_WIDE);
    const database = nameOf(statement[5]);
    return this.ofDatabase(database, `ALTER ROLE ${nameOf(statement[2])} IN DATABASE ${database}`, true);
  }

  private drop(statement: Statement): Verdict {
    const second = statement[1]?.kind === 'word' ? statement[1].text : '';
    if (second === 'database') {
      const name = nameOf(statement[skipIfExists(statement, 2)]);
      return this.ofDatabase(name, `DROP DATABASE ${name}`, true);
    }
    const mapping = isWord(statement[2], 'mapping');
    if (['role', 'group', 'tablespace', 'owned'].includes(second) || (second === 'user' && !mapping)) {
      return refuse(`DROP ${second.toUpperCase()}`, SERVER_WIDE);
    }
    if (!this.creating) return DROP;
    // it would drop the slot on the publishing server too
    return second === 'subscription' ? refuse('DROP SUBSCRIPTION', SERVER_WIDE) : KEEP;
  }

  private set(statement: Statement): Verdict {
    const local = isWord(statement[1], 'local');
    const at = local || (isWord(statement[1], 'session') && !isWord(statement[2], 'authorization')) ? 2 : 1;
    const value = statement[at + 2]?.text.toLowerCase().replace(/^'(.*)'$/, '$1') ?? '';
    switch (nameOf(statement[at])?.toLowerCase()) {
      case 'standard_conforming_strings': {
        const on = ['on', 'true', 'yes', '1', 'default'].includes(value);
        if (on) return { action: 'keep', standardStrings: true };
        if (local || !['off', 'false', 'no', '0'].includes(value)) return refuse('an odd SET standard_conforming_strings');
        return { action: 'keep', standardStrings: false };
      }
      case 'transaction_timeout':
        // dumps of 17 and later set it, servers before do not know it (pitfall 32)
        return this.targetMajor < 17 ? DROP : KEEP;
      case 'client_encoding':
        return judgeEncoding(value);
      case 'names':
        return judgeEncoding(statement[at + 1]?.text.toLowerCase().replace(/^'(.*)'$/, '$1') ?? '');
      default:
        return KEEP;
    }
  }

  private grant(first: string, statement: Statement): Verdict {
    const on = grantedOn(statement);
    const what = first.toUpperCase();
    if (on === undefined) return refuse(`a ${what} of a role`, SERVER_WIDE);
    if (on.kind === 'tablespace' || on.kind === 'parameter') return refuse(`${what} … ON ${on.kind.toUpperCase()}`, SERVER_WIDE);
    if (on.kind !== 'database') return KEEP;
    return this.ofDatabase(nameOf(on.name), `${what} … ON DATABASE ${nameOf(on.name)}`);
  }

  /** COMMENT ON and SECURITY LABEL ON. */
  private label(first: string, statement: Statement): Verdict {
    const on = findWord(statement, 1, 'on');
    const what = first === 'comment' ? 'COMMENT ON' : 'SECURITY LABEL ON';
    const kind = statement[on + 1];
    if (isWord(kind, 'role', 'tablespace')) return refuse(`${what} ${kind?.text.toUpperCase()}`, SERVER_WIDE);
    if (!isWord(kind, 'database')) return KEEP;
    return this.ofDatabase(nameOf(statement[on + 2]), `${what} DATABASE ${nameOf(statement[on + 2])}`);
  }

  private select(statement: Statement): Verdict {
    if (statement.some(({ kind, text }) => kind === 'string' && /standard_conforming_strings/i.test(text))) {
      return refuse('a SELECT that sets standard_conforming_strings');
    }
    return !this.creating && statement.some((token) => isWord(token, 'lo_unlink')) ? DROP : KEEP;
  }

  /** What concerns the database itself is left out if it is the dump's own, as `pg_dump -C` writes it. */
  private ofDatabase(name: string | undefined, what: string, onlyBefore = false): Verdict {
    if (name === undefined) return refuse(`${what.split(' ').slice(0, 2).join(' ')} without a name`);
    if (this.database !== undefined && this.database !== name) {
      return refuse(`${what}, while the dump is one of ${this.database}`, ONE_DATABASE);
    }
    if (this.creating && onlyBefore) return refuse(`${what} after its data began`, SERVER_WIDE);
    this.database = name;
    return { action: 'drop', note: what };
  }
}
