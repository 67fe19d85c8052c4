import { formatTime } from '../../../src/domain/format.ts';
import { describe, expect, it } from 'vitest';
import { Output } from '../../../src/cli/output.ts';
import { formatRevision, formatRows, formatSeconds, formatSize, formatLabels } from '../../../src/cli/present.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { exampleManifest } from '../../twins/manifest.ts';
import { capture } from '../../tools/command.ts';

const options = (changes: Partial<Output['options']> = {}): Output['options'] => ({ quiet: false, trace: false, json: false, ...changes });

async function said(changes: Partial<Output['options']>, work: (output: Output) => void): Promise<{ out: string; err: string }> {
  return capture(() => {
    const output = new Output();
    output.options = options(changes);
    work(output);
  });
}

const talk = (output: Output): void => {
  output.step('Backing up shop');
  output.detail('a detail');
  output.progress(1, 2);
  output.warn('first\nsecond');
  output.result('Backup is taken', [
    ['Size', '1 kB'],
    ['Lies in', '/x'],
  ]);
};

describe('the output', () => {
  it("has Dokku's prefixes, steps and results on stdout, warnings on stderr, and no progress in a log", async () => {
    expect(await said({}, talk)).toEqual({
      out: '-----> Backing up shop\n       a detail\n=====> Backup is taken\n       Size:     1 kB\n       Lies in:  /x\n',
      err: ' !     first\n !     second\n',
    });
  });

  it('when quiet is the result and the warnings alone', async () => {
    expect(await said({ quiet: true }, talk)).toEqual({
      out: '       Size:     1 kB\n       Lies in:  /x\n',
      err: ' !     first\n !     second\n',
    });
  });

  it('in JSON has no steps, so that stdout is one document', async () => {
    const { out } = await said({ json: true }, (output) => {
      output.step('x');
      output.detail('y');
      output.json({ a: 'naïve\n' });
    });
    expect(out).toBe('{"a":"naïve\\n"}\n');
  });

  it('has its steps on stderr where stdout carries data', async () => {
    const { out, err } = await said({}, (output) => {
      output.stepsToStderr = true;
      output.step('x');
      output.detail('y');
    });
    expect([out, err]).toEqual(['', '-----> x\n       y\n']);
  });

  it('is a table with columns as wide as they need to be, without a heading when quiet', async () => {
    const table = (output: Output): void =>
      output.table(
        ['ID', 'SIZE', 'CODE'],
        [
          ['shop-1', '1 kB', '-'],
          ['x', '1,234 kB', ''],
        ],
      );
    expect((await said({}, table)).out).toBe('ID      SIZE      CODE\nshop-1  1 kB      -\nx       1,234 kB\n');
    expect((await said({ quiet: true }, table)).out).toBe('shop-1  1 kB      -\nx       1,234 kB\n');
  });

  it('carries nothing that a terminal would obey, whatever a note or a name holds', async () => {
    const evil = '\u001B]0;title\u0007\u009B2Jx\r';
    const { out, err } = await said({}, (output) => {
      output.step(evil);
      output.detail(evil);
      output.warn(evil);
      output.result(evil, [['Note', evil]]);
      output.table(['A'], [[evil]]);
      output.failure(new PgbackupError('postgres', evil, { hint: evil }));
    });
    // oxlint-disable-next-line no-control-regex -- it is what is looked for
    expect(out + err).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/);
    expect(out).toContain('2Jx');
  });

  it('asks nothing where there is no terminal', async () => {
    let answer: string | undefined = 'none was given';
    await capture(async () => {
      answer = await new Output().ask('To proceed, type "shop"');
    });
    expect(answer).toBeUndefined();
  });
});

describe('a failure', () => {
  const error = new PgbackupError('refused', 'Restore refused: no.', { hint: 'Do this:\n  dokku x', cause: new Error('the deeper cause') });

  it('is told on stderr: what, and the next step', async () => {
    expect(await said({}, (output) => output.failure(error))).toEqual({
      out: '',
      err: ' !     Restore refused: no.\n !     Do this:\n !       dokku x\n',
    });
  });

  it('is told when quiet, too', async () =>
    expect((await said({ quiet: true }, (output) => output.failure(error))).err).toContain('Restore refused'));

  it('is one line of JSON where that was asked for', async () => {
    const { out, err } = await said({ json: true }, (output) => output.failure(error));
    expect(out).toBe('');
    expect(JSON.parse(err)).toEqual({ code: 'refused', message: 'Restore refused: no.', hint: 'Do this:\n  dokku x' });
    expect(JSON.parse((await said({ json: true }, (output) => output.failure(new PgbackupError('locked', 'x')))).err)).toEqual({
      code: 'locked',
      message: 'x',
    });
  });

  it('is told with where it came from and why when traced', async () => {
    const { err } = await said({ trace: true }, (output) => output.failure(error));
    expect(err).toContain('PgbackupError: Restore refused: no.');
    expect(err).toMatch(/Caused by: Error: the deeper cause\n +at /);
  });

  it('that is a bug says so, and shows where', async () => {
    const { err } = await said({}, (output) => output.failure(new TypeError('x is undefined')));
    expect(err).toMatch(/^ ! {5}x is undefined\n ! {5}This is a bug of pgbackup\./);
    expect(err).toMatch(/TypeError: x is undefined\n +at /);
    expect((await said({}, (output) => output.failure('just a text'))).err).toContain('just a text');
  });
});

describe('the figures of a result', () => {
  const manifest = exampleManifest();

  it.each([
    [0, '0.0 s'],
    [4.24, '4.2 s'],
    [59.94, '59.9 s'],
    [59.97, '1 min 0 s'],
    [60, '1 min 0 s'],
    [200, '3 min 20 s'],
    [119.7, '2 min 0 s'],
    [3600, '60 min 0 s'],
  ])('%d seconds are %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  it('are a time in UTC', () => expect(formatTime('2026-11-20T03:15:00.123Z')).toBe('2026-11-20 03:15:00 UTC'));

  it('are the code, with all that is known of it', () => {
    const [app] = manifest.apps;
    if (!app) throw new Error('the example has an app');
    expect(formatRevision(app)).toBe(
      'web at 273c289c47047bea84ff9cd1ab2d4334ea74b838 on main, deployed 2026-11-20 03:00:00 UTC (from config)',
    );
    expect(formatRevision({ ...app, sha: null, shaSource: null, deployBranch: null, lastUpdatedAt: null })).toBe(
      'web at an unknown commit',
    );
  });

  it('are size, ratio, rows and labels', () => {
    expect(formatSize(manifest)).toContain('6.3 kB');
    expect(formatSize({ ...manifest, archive: { ...manifest.archive, storedBytes: 0 } })).not.toContain('ratio');
    expect(formatRows(manifest)).toMatch(/^562 in 1 table, 1 large object/);
    expect(formatLabels({ a: '1', b: '2' })).toBe('a=1, b=2');
    expect(formatLabels({})).toBe('-');
  });
});
