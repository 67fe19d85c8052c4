import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commands } from '../../../src/cli/commands/index.ts';
import { commandReference, helpFiles } from '../../../src/cli/help.ts';
import { usageLine } from '../../../src/cli/program.ts';
import { confirmOptions, dokkuOptions } from '../../../src/cli/spec.ts';
import { settingKeys } from '../../../src/domain/settings.ts';
import { version } from '../../../src/version.ts';

const at = (path: string): URL => new URL(`../../../${path}`, import.meta.url);
const read = (path: string): string => readFileSync(at(path), 'utf8');
const verbs = commands.map((spec) => spec.verb);

describe('the commands', () => {
  it('each have a shim, and each shim has its command', () => {
    const shims = readdirSync(at('subcommands')).filter((shim) => shim !== 'default');
    expect(shims.toSorted()).toEqual(verbs.toSorted());
    for (const shim of shims) accessSync(at(`subcommands/${shim}`), constants.X_OK);
  });

  it.each(commands)('$verb: its lines of help are as Dokku can show them', (spec) => {
    // Dokku splits a line of help at the first comma; a colon ends the command's name.
    expect(spec.verb).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(spec.args).toMatch(/^((<[a-z]+>|\[[a-z]+\])( (<[a-z]+>|\[[a-z]+\]))*)?$/);
    expect(spec.summary).toMatch(/^[A-Z][^,.\n]*$/);
    expect(spec.summary.length).toBeLessThanOrEqual(60);
    expect(spec.details).toMatch(/^[A-Z]/);
    expect(spec.examples.length).toBeGreaterThan(0);
    for (const example of spec.examples) expect(example).toContain(`pgbackup:${spec.verb}`);
    for (const { flags, summary } of spec.options) {
      expect(flags).toMatch(/^--[a-z][a-z0-9-]*( <[^<>]+>)?$/);
      expect(summary).toMatch(/^[a-z]/);
    }
    const names = [...spec.options, ...dokkuOptions].map(({ flags }) => flags.split(' ')[0]);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(['restore', 'undo', 'delete'])('%s, which takes something away, can be confirmed beforehand', (verb) => {
    const spec = commands.find((candidate) => candidate.verb === verb);
    expect(spec?.options).toEqual(expect.arrayContaining([...confirmOptions]));
  });

  it.each(['run', 'restore', 'undo', 'list', 'info', 'verify', 'delete', 'report', 'log'])(
    '%s, which lists or reports, does so in JSON, too',
    (verb) => {
      expect(commands.find((candidate) => candidate.verb === verb)?.options.map(({ flags }) => flags)).toContain('--format <format>');
    },
  );

  it('set tells every setting', () => {
    const help = helpFiles()['help/set.txt'];
    for (const key of settingKeys) expect(help).toContain(`  ${key} `);
  });
});

describe('the help', () => {
  const files = helpFiles();

  it('has one line a command, in four columns of blanks', () => {
    const lines = (files['help.txt'] ?? '').trimEnd().split('\n');
    expect(lines).toHaveLength(commands.length);
    for (const [i, line] of lines.entries()) expect(line).toMatch(new RegExp(`^ {4}pgbackup:${verbs[i]}( [^,]+)?, [A-Z][^,]*$`));
  });

  it('of a command begins with how it is used, and is wrapped', () => {
    for (const spec of commands) {
      const [first, ...lines] = (files[`help/${spec.verb}.txt`] ?? '').split('\n');
      expect(first).toBe(usageLine(spec));
      for (const line of lines.filter((candidate) => !candidate.startsWith(' ')))
        expect(line.length, `${spec.verb}: ${line}`).toBeLessThanOrEqual(100);
      for (const { flags, summary } of spec.options)
        expect(lines.join('\n')).toMatch(
          new RegExp(`^ {4}${flags.replaceAll(/[[\]<>]/g, '\\$&')} +${summary.slice(0, 20).replaceAll(/[()*+.?]/g, '\\$&')}`, 'm'),
        );
    }
  });

  it('lies in dist/ as the program makes it, with nothing left over from commands that are gone', () => {
    for (const [name, text] of Object.entries(files)) expect(read(`dist/${name}`), `dist/${name}: npm run build`).toBe(text);
    expect(readdirSync(at('dist/help')).toSorted()).toEqual(verbs.map((verb) => `${verb}.txt`).toSorted());
  });

  it('lies in docs/commands.md as the program makes it', () => expect(read('docs/commands.md')).toBe(commandReference()));
});

describe('the version', () => {
  it('is the same in the program, in package.json and in plugin.toml', () => {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(JSON.parse(read('package.json')).version).toBe(version);
    expect(/^version = "([^"]+)"$/m.exec(read('plugin.toml'))?.[1]).toBe(version);
  });
});
