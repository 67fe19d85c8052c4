import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands/index.ts';
import { dokkuOptions } from '../../src/cli/spec.ts';
import { providers } from '../../src/domain/s3-presets.ts';
import { settingKeys } from '../../src/domain/settings.ts';
import { Shell } from '../tools/shell.ts';

const root = new URL('../..', import.meta.url).pathname;

/** Pages by their path; docs/commands.md is made from the program. */
const pages = new Map(
  ['*.md', 'docs/*.md', 'docs/*/*.md']
    .flatMap((pattern) => globSync(pattern, { cwd: root }))
    .filter((path) => path !== 'docs/commands.md')
    .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
);

interface Shown {
  readonly path: string;
  /** From `pgbackup:<verb>` to the end of the command, without what the shell makes of the rest. */
  readonly command: string;
}

/** Every command that a page shows: in a block, or in a line between backticks. */
function shownIn(path: string, text: string): Shown[] {
  const blocks = [...text.matchAll(/^```shell\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'));
  const inline = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...blocks, ...inline].flatMap((line) =>
    [...line.matchAll(/pgbackup:(?=[a-z])([^|<>#;&…)]|<[a-z -]+>)*/g)].map(([command]) => ({ path, command: command.trim() })),
  );
}

const shown = [...pages].flatMap(([path, text]) => shownIn(path, text));

/** Words as a shell makes them, without its quotes. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word.replaceAll(/["']/g, ''));

const specOf = (command: string): (typeof commands)[number] | undefined => {
  const verb = /^pgbackup:([a-z-]+)/.exec(command)?.[1];
  return commands.find((spec) => spec.verb === verb);
};

describe('what the guide shows is there', () => {
  it('finds what it looks for in all pages', () => {
    expect(pages.size).toBeGreaterThan(30);
    expect(shown.length).toBeGreaterThan(100);
  });

  it('every command exists', () => {
    const unknown = shown.filter(({ command }) => !specOf(command) && !/^pgbackup:help\b/.test(command));
    expect(unknown).toEqual([]);
  });

  it('every option belongs to its command', () => {
    const wrong = shown.flatMap(({ path, command }) => {
      const spec = specOf(command);
      const known = [...(spec?.options ?? []), ...dokkuOptions].map(({ flags }) => flags.split(' ')[0]);
      const given = wordsOf(command).filter((word) => /^--[a-z]/.test(word));
      return given
        .map((word) => word.split('=')[0])
        .filter((word) => spec && !known.includes(word))
        .map((word) => `${path}: ${word} of ${command}`);
    });
    expect(wrong).toEqual([]);
  });

  it('every setting exists', () => {
    const wrong = shown.flatMap(({ path, command }) => {
      const [verb, , key] = wordsOf(command.replace(/ --service \S+/, ''));
      return verb === 'pgbackup:set' && key !== undefined && !key.startsWith('<') && !settingKeys.includes(key) ? [`${path}: ${key}`] : [];
    });
    expect(wrong).toEqual([]);
  });

  it('every option that is named by itself exists', () => {
    const known = new Set(commands.flatMap(({ options }) => [...options, ...dokkuOptions].map(({ flags }) => flags.split(' ')[0])));
    // Of programs that are not ours.
    const others = ['--name', '--retention-period'];
    const guide = [...pages].filter(([path]) => path === 'README.md' || /^docs\/[a-z]+\.md$|^docs\/providers\//.test(path));
    const wrong = guide.flatMap(([path, text]) =>
      [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`(--[a-z0-9-]+)/g)]
        .map(([, option = '']) => option)
        .filter((option) => !known.has(option) && !others.includes(option))
        .map((option) => `${path}: ${option}`),
    );
    expect(wrong).toEqual([]);
  });

  it('every link leads somewhere, also within a page', () => {
    const headings = (text: string): string[] =>
      [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      );
    const broken = [...pages].flatMap(([path, text]) =>
      [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
        if (/^https?:/.test(target)) return [];
        const [file = '', heading] = target.split('#');
        const to = file === '' ? path : join(dirname(path), file);
        if (!existsSync(join(root, to))) return [`${path}: ${target}`];
        const there = heading === undefined || headings(pages.get(to) ?? '').includes(heading);
        return there ? [] : [`${path}: ${target}`];
      }),
    );
    expect(broken).toEqual([]);
  });
});

describe('the pages of the providers', () => {
  it('are there for each, and linked', () => {
    const contents = pages.get('docs/providers/README.md') ?? '';
    for (const provider of providers) {
      expect(pages.get(`docs/providers/${provider}.md`)).toContain(`--provider ${provider} `);
      expect(contents).toContain(`](${provider}.md)`);
    }
  });

  const lines = shown.filter(({ path, command }) => path.startsWith('docs/providers/') && command.startsWith('pgbackup:storage-create'));

  it.each(lines)('$path: $command is taken as it stands', async ({ path, command }) => {
    const said = await new Shell().dokku(`${command} --format json`);
    expect(said).toMatchObject({ err: '', exit: 0 });
    const provider = /(\w+)\.md$/.exec(path)?.[1];
    if (provider !== 'README') expect(command).toContain(`--provider ${provider}`);
    expect(JSON.parse(said.out)).toMatchObject({ kind: 's3', bucket: 'my-backups' });
  });

  it('are no fewer lines than pages', () => expect(new Set(lines.map(({ path }) => path)).size).toBe(providers.length));
});
