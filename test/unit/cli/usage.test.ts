import { afterEach, describe, expect, it } from 'vitest';
import { commands } from '../../../src/cli/commands/index.ts';
import { exitCodeOf } from '../../../src/cli/exit-code.ts';
import { PgbackupError, type ErrorCode } from '../../../src/domain/errors.ts';
import { give } from '../../tools/command.ts';

afterEach(() => {
  for (const name of ['DOKKU_QUIET_OUTPUT', 'DOKKU_TRACE', 'DOKKU_APPS_FORCE_DELETE']) delete process.env[name];
});

describe('the exit code', () => {
  const codes: Record<ErrorCode, number> = {
    usage: 2,
    partial: 3,
    'not-found': 4,
    'no-backup': 4,
    refused: 5,
    confirmation: 5,
    damaged: 5,
    locked: 6,
    storage: 7,
    verification: 8,
    postgres: 9,
    docker: 9,
    dokku: 9,
    interrupted: 130,
  };

  it.each(Object.entries(codes) as [ErrorCode, number][])('of %s is %d, as the design says', (code, exit) => {
    expect(exitCodeOf(new PgbackupError(code, 'x'))).toBe(exit);
    // Dokku's word for "not my command".
    expect(exit).not.toBe(10);
  });

  it('of a signal is its own, unless nobody knows whether the thing was done', () => {
    expect(exitCodeOf(new PgbackupError('interrupted', 'x'), 143)).toBe(143);
    // What the signal has done to a program that we were waiting for.
    expect(exitCodeOf(new PgbackupError('docker', 'x'), 129)).toBe(129);
    expect(exitCodeOf(new PgbackupError('postgres', 'x', { outcomeUnknown: true }), 130)).toBe(9);
  });

  it.each([new Error('x'), new TypeError('x'), 'text', undefined, { code: 'usage' }])('of a bug is 1: %s', (error) =>
    expect(exitCodeOf(error)).toBe(1),
  );
});

const id = 'shop-20261120T031500Z-k3f9';

describe('a command that cannot be understood is refused before anything is looked at, with exit code 2', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['no such command', ['pgbackup:backup', 'shop'], /pgbackup:backup is not a command/],
    ['no command', [], /pgbackup:help is not a command/],
    ['no target', ['pgbackup:run'], /missing required argument 'target'/],
    ['a schedule without quotes', ['pgbackup:schedule', 'shop', '0', 'bin', '*', '*', '*'], /The five fields are one argument, in quotes/],
    ['too many targets', ['pgbackup:run', 'shop', 'shop2'], /too many arguments/],
    [
      'a secret typed where there is no room for one',
      ['pgbackup:storage-auth', 'offsite', 'KEY', 'S3cret'],
      /^(?!.*S3cret)[\s\S]*too many/,
    ],
    [
      'a secret typed to an option that there is not',
      ['pgbackup:storage-auth', 'o', '--secret=S3cret'],
      /^(?!.*S3cret).*option '--secret'$/m,
    ],
    ['an unknown option', ['pgbackup:run', 'shop', '--labels', 'a=b'], /unknown option '--labels'/],
    ['an option of another command', ['pgbackup:run', 'shop', '--latest'], /unknown option '--latest'/],
    ['an option without its value', ['pgbackup:run', 'shop', '--note'], /argument missing/],
    ['a format that is none', ['pgbackup:list', '--format', 'xml'], /--format takes text or json, not "xml"/],
    ['a label without a value', ['pgbackup:run', 'shop', '--label', 'level'], /--label "level" is not of the form key=value/],
    ['a label with a capital', ['pgbackup:run', 'shop', '--label', 'Level=1'], /not of the form/],
    ['a label with a line break', ['pgbackup:run', 'shop', '--label', 'a=b\nc'], /not of the form/],
    ['a label twice', ['pgbackup:run', 'shop', '--label', 'a=1', '--label', 'a=2'], /--label a is given twice/],
    ['a note of two lines', ['pgbackup:run', 'shop', '--note', 'one\ntwo'], /one line/],
    ['a note too long', ['pgbackup:run', 'shop', '--note', 'x'.repeat(501)], /at most 500/],
    ['nothing to restore', ['pgbackup:restore', 'shop'], /Say what to restore/],
    ['two things to restore', ['pgbackup:restore', 'shop', id, '--latest'], /either --latest or a source/],
    ['an empty file name', ['pgbackup:restore', 'shop', ''], /name of the file is empty/],
    ['no jobs', ['pgbackup:restore', 'shop', '--latest', '--jobs', '0'], /--jobs takes a whole number from 1 to 64, not "0"/],
    ['half a job', ['pgbackup:restore', 'shop', '--latest', '--jobs', '1.5'], /--jobs takes/],
    ['too many jobs', ['pgbackup:restore', 'shop', '--latest', '--jobs', '65'], /--jobs takes/],
    ['a checksum that is none', ['pgbackup:restore', 'shop', 'f', '--sha256', 'abc'], /64 hexadecimal digits/],
    ['a checksum for a backup', ['pgbackup:restore', 'shop', id, '--sha256', 'a'.repeat(64)], /--sha256 is for files/],
    ['a checksum for the latest', ['pgbackup:restore', 'shop', '--latest', '--sha256', 'a'.repeat(64)], /--sha256 is for files/],
    [
      'an identity instead of its file',
      ['pgbackup:restore', 'shop', 'f', '--identity', 'AGE-SECRET-KEY-1ABC'],
      /^(?!.*1ABC)[\s\S]*takes the file that holds the key/,
    ],
    ['an identity without a name', ['pgbackup:restore', 'shop', 'f', '--identity', ''], /The file of --identity is empty/],
    ['a source and an identity on stdin', ['pgbackup:restore', 'shop', '-', '--identity', '-'], /only one of the source, the identity/],
    ['two keys on stdin', ['pgbackup:verify', 'shop', '--identity', '-', '--passphrase-file', '-'], /only one of the source, the identity/],
    ['no target to undo', ['pgbackup:undo'], /missing required argument/],
    ['no id to delete', ['pgbackup:delete', 'shop'], /missing required argument 'id'/],
  ])('%s', async (_, argv, message) => {
    const said = await give(argv);
    expect(said).toMatchObject({ out: '', exit: 2 });
    expect(said.err).toMatch(message);
    for (const line of said.err.trimEnd().split('\n')) expect(line).toMatch(/^ ! {5}\S/);
  });

  it('shows how it is used', async () => {
    expect((await give(['pgbackup:delete'])).err).toContain(
      ' !     Usage: dokku pgbackup:delete <target> <id> [--service <service>] [--storage <storage>]… [--confirm <name>] [--force] [--format <format>]\n',
    );
  });

  it.each([['--format', 'json'], ['--format=json']])('in JSON where that was asked for: %s', async (...flags) => {
    const said = await give(['pgbackup:run', ...flags]);
    expect(said).toMatchObject({ out: '', exit: 2 });
    expect(JSON.parse(said.err)).toEqual({
      code: 'usage',
      message: expect.stringContaining("missing required argument 'target'"),
      hint: expect.stringContaining('Usage: '),
    });
  });
});

describe('a command line', () => {
  const verbs = commands.map((spec) => spec.verb);

  it.each(verbs)('of %s with --help shows the help and exits 0', async (verb) => {
    const said = await give([`pgbackup:${verb}`, '--help']);
    expect(said).toMatchObject({ err: '', exit: 0 });
    expect(said.out).toContain(`dokku pgbackup:${verb}`);
    expect(said.out).toContain('Examples:');
  });
});

it('repeats no word too many: it may be a secret that belongs on standard input (pitfall 49)', async () => {
  const { err, exit } = await give(['pgbackup:storage-auth', 'offsite', 'AKIA', 's3cret']);
  expect(exit).toBe(2);
  expect(err).toContain('too many arguments. Expected 1 argument but got 3\n');
  expect(err).not.toContain('s3cret');
});
