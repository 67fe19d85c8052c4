import type { Ports } from '../ports.ts';
import type { Output } from './output.ts';

/** An option of a command, in commander's notation. */
export interface OptionSpec {
  readonly flags: string;
  readonly summary: string;
  /** May be given more than once; its values are collected. */
  readonly repeats?: boolean;
}

/** What a command's code gets to work with. */
export interface Context {
  readonly output: Output;
  readonly version: string;
  /** Arguments as they were typed, for hints. */
  readonly typed: readonly string[];
  /** Loads the adapters: only commands that need them pay for them. */
  readonly ports: () => Promise<Ports>;
}

/** The values of a command line, read by the name of the option. */
export class Arguments {
  readonly #positional: readonly (string | undefined)[];
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(positional: readonly (string | undefined)[], options: Readonly<Record<string, unknown>>) {
    this.#positional = positional;
    this.#options = options;
  }

  /** A positional argument that the usage line marks as required. */
  required(index: number): string {
    return this.#positional[index] ?? '';
  }

  optional(index: number): string | undefined {
    return this.#positional[index];
  }

  text(name: string): string | undefined {
    const value = this.#options[name];
    return typeof value === 'string' ? value : undefined;
  }

  flag(name: string): boolean {
    return this.#options[name] === true;
  }

  list(name: string): readonly string[] {
    const value = this.#options[name];
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  }
}

/** One command: its grammar, its help and its code in one place. Help and reference are made from this. */
export interface CommandSpec {
  readonly verb: string;
  /** Positional arguments, in commander's notation: `<target> [<id>]` is written `<target> [id]`. */
  readonly args: string;
  /** What to say where there are too many of them. */
  readonly excess?: string;
  /** One line without a comma: Dokku splits its help at the first one. */
  readonly summary: string;
  /** What a person needs to know before using it. */
  readonly details: string;
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  readonly run: (context: Context, args: Arguments) => Promise<void>;
}

export const serviceOption: OptionSpec = { flags: '--service <service>', summary: 'which service, where the app is linked to several' };
export const storageOption: OptionSpec = { flags: '--storage <storage>', summary: 'look only into this storage', repeats: true };
export const formatOption: OptionSpec = { flags: '--format <format>', summary: 'text (default) or json' };
export const keyOptions: readonly OptionSpec[] = [
  {
    flags: '--identity <file>',
    summary: 'what opens an encrypted one: the file that age-keygen made, or a secret key of gpg; - for standard input',
    repeats: true,
  },
  { flags: '--passphrase-file <file>', summary: 'a file of one line, the passphrase; - for standard input' },
];
export const confirmOptions: readonly OptionSpec[] = [
  { flags: '--confirm <name>', summary: 'the name that would have to be typed, for use without a terminal' },
  { flags: '--force', summary: 'do not ask' },
];

/** Options that Dokku leaves in the argument list; every command takes them. */
export const dokkuOptions: readonly OptionSpec[] = [
  { flags: '--quiet', summary: 'say no more than the result' },
  { flags: '--trace', summary: 'show the causes of an error' },
];
