import { exitCodeOf } from '../../src/cli/exit-code.ts';
import { Output } from '../../src/cli/output.ts';
import { runProgram } from '../../src/cli/program.ts';
import type { Ports } from '../../src/ports.ts';

/** What a command said and how it ended. */
export interface Said {
  readonly out: string;
  readonly err: string;
  readonly exit: number;
}

/** What is written to both streams while the work runs. */
export async function capture(work: () => Promise<void> | void): Promise<Omit<Said, 'exit'>> {
  const texts = { out: '', err: '' };
  const { stdout, stderr } = process;
  const before = { out: stdout.write.bind(stdout), err: stderr.write.bind(stderr) };
  const keep =
    (name: 'out' | 'err') =>
    (text: string | Uint8Array): boolean => {
      texts[name] += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
      return true;
    };
  stdout.write = keep('out');
  stderr.write = keep('err');
  try {
    await work();
  } finally {
    stdout.write = before.out;
    stderr.write = before.err;
  }
  return texts;
}

/** Gives a command as Dokku gives it, on these ports; the reporter is the real one. */
export async function give(argv: readonly string[], open?: () => Ports): Promise<Said> {
  let exit = 0;
  const texts = await capture(async () => {
    const output = new Output();
    try {
      await runProgram(argv, {
        output,
        version: '0.1.0',
        typed: argv,
        ports: async () => {
          if (!open) throw new Error('this should have been refused before anything was looked at');
          return { ...open(), reporter: output };
        },
      });
    } catch (error) {
      output.failure(error);
      exit = exitCodeOf(error);
    }
  });
  return { ...texts, exit };
}
