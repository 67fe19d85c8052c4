/** Help texts and the command reference, made from the commands themselves when the program is built. */
import { commands } from './commands/index.ts';
import { usageLine } from './program.ts';
import { dokkuOptions, type CommandSpec, type OptionSpec } from './spec.ts';

/** Files of dist/ by name: `help.txt` as Dokku's plugins list their commands, `help/<verb>.txt` for each. */
export function helpFiles(): Record<string, string> {
  const list = commands.map((spec) => `    pgbackup:${spec.verb}${spec.args === '' ? '' : ` ${spec.args}`}, ${spec.summary}\n`).join('');
  return Object.fromEntries([['help.txt', list], ...commands.map((spec) => [`help/${spec.verb}.txt`, helpOf(spec)])]);
}

function helpOf(spec: CommandSpec): string {
  return [
    usageLine(spec),
    '',
    `${spec.summary}.`,
    '',
    ...wrap(spec.details, 100),
    '',
    'Options:',
    ...optionLines(spec),
    '',
    'Examples:',
    ...spec.examples.map((example) => `    ${example}`),
    '',
  ].join('\n');
}

function optionLines(spec: CommandSpec): string[] {
  const options: OptionSpec[] = [...spec.options, ...dokkuOptions];
  const width = Math.max(...options.map(({ flags }) => flags.length));
  return options.map(({ flags, summary, repeats }) => `    ${flags.padEnd(width)}  ${summary}${repeats ? ' (may be repeated)' : ''}`);
}

/** Words of each line in lines no longer than the width; lines that begin with a space are left alone. */
function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => {
    if (line.startsWith(' ') || line.length <= width) return [line];
    const lines: string[] = [];
    let current = '';
    for (const word of line.split(' ')) {
      if (current !== '' && current.length + 1 + word.length > width) {
        lines.push(current);
        current = word;
      } else current = current === '' ? word : `${current} ${word}`;
    }
    return [...lines, current];
  });
}

/** The whole reference as Markdown. */
export function commandReference(): string {
  const sections = commands.map((spec) => `## pgbackup:${spec.verb}\n\n\`\`\`\n${helpOf(spec).trimEnd()}\n\`\`\`\n`);
  return [
    '# Commands',
    '',
    'Made from the program by `npm run build`; `dokku pgbackup:help <command>` prints the same.',
    '',
    ...sections,
  ].join('\n');
}
