import { Command, CommanderError, Option } from 'commander';
import { PgbackupError } from '../domain/errors.ts';
import { commands } from './commands/index.ts';
import { Arguments, dokkuOptions, type CommandSpec, type Context } from './spec.ts';

/** `pgbackup:run` as Dokku passes it, or `run`. */
function verbOf(word: string | undefined): string {
  return (word ?? 'help').replace(/^pgbackup:?/, '') || 'help';
}

/**
 * Runs the command that the arguments name.
 * @throws PgbackupError usage, and whatever the command throws.
 */
export async function runProgram(argv: readonly string[], context: Context): Promise<void> {
  const verb = verbOf(argv[0]);
  const spec = commands.find((command) => command.verb === verb);
  if (!spec) {
    throw new PgbackupError('usage', `pgbackup:${verb} is not a command`, { hint: 'List them: dokku pgbackup:help' });
  }
  // --force reaches a command also as Dokku's own option, before the command's name.
  const args = argv.slice(1);
  const takesForce = spec.options.some((option) => option.flags === '--force');
  const forced = process.env['DOKKU_APPS_FORCE_DELETE'] === '1' && takesForce && !args.includes('--force');
  // Before the arguments are understood: a refusal of them comes in the form that was asked for, too.
  context.output.options = { ...context.output.options, json: wantsJson(args) };
  const command = buildCommand(spec, context);
  try {
    await command.parseAsync(forced ? [...args, '--force'] : args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    throw new PgbackupError('usage', `pgbackup:${verb}: ${withoutValues(error)}`, {
      hint: [...(error.code === 'commander.excessArguments' && spec.excess ? [spec.excess] : []), `Usage: ${usageLine(spec)}`].join('\n'),
    });
  }
}

/** What commander has against the arguments. One too many may be a secret that somebody typed: it must not come to a log. */
function withoutValues({ message }: CommanderError): string {
  return message
    .replace(/^error: /, '')
    .replace(/^(too many arguments.* but got \d+): .*$/s, '$1')
    .replace(/^(unknown option '[^'=]*)=.*'$/s, "$1'");
}

function wantsJson(args: readonly string[]): boolean {
  return args.some((arg, i) => arg === '--format=json' || (arg === '--format' && args[i + 1] === 'json'));
}

/** A usage line as help shows it. */
export function usageLine(spec: CommandSpec): string {
  const options = spec.options.map(({ flags, repeats }) => `[${flags}]${repeats ? '…' : ''}`);
  return ['dokku', `pgbackup:${spec.verb}`, spec.args, ...options].filter(Boolean).join(' ');
}

function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

function buildCommand(spec: CommandSpec, context: Context): Command {
  const command = new Command(`dokku pgbackup:${spec.verb}`);
  command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: (text) => context.output.line(text.trimEnd()) });
  command.description(`${spec.summary}\n\n${spec.details}`).allowExcessArguments(false);
  for (const argument of spec.args.split(' ').filter(Boolean)) command.argument(argument);
  for (const { flags, summary, repeats } of [...spec.options, ...dokkuOptions]) {
    const option = new Option(flags, summary);
    command.addOption(repeats ? option.argParser(collect) : option);
  }
  command.addHelpText('after', `\nExamples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}`);
  command.action(async (...received: unknown[]) => {
    const positional = received.slice(0, -2).map((value) => (typeof value === 'string' ? value : undefined));
    const options = command.opts<Record<string, unknown>>();
    const given = new Arguments(positional, options);
    const format = given.text('format') ?? 'text';
    if (format !== 'text' && format !== 'json') throw new PgbackupError('usage', `--format takes text or json, not "${format}"`);
    context.output.options = {
      quiet: options['quiet'] === true || Boolean(process.env['DOKKU_QUIET_OUTPUT']),
      trace: options['trace'] === true || Boolean(process.env['DOKKU_TRACE']),
      json: format === 'json',
    };
    await spec.run(context, given);
  });
  return command;
}
