import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What one command of a real host said. */
export interface Recorded {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

const fixtures = new URL('../fixtures/dokku/', import.meta.url);

export function fixture(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8');
}

/** Every answer to a command of the recording, in its order. @throws Error when it was never given. */
export function recorded(command: string): readonly [Recorded, ...Recorded[]] {
  const blocks = fixture('dokku-0.38.27.txt').split(/^\$ /m).slice(1);
  const [first, ...more] = blocks.filter((block) => block.startsWith(`${command}\n`)).map(readBlock);
  if (!first) throw new Error(`The recording has no "${command}"`);
  return [first, ...more];
}

function readBlock(block: string): Recorded {
  const lines = block.split('\n');
  const part = (name: string): string =>
    lines
      .filter((line) => line.startsWith(`${name}| `))
      .map((line) => `${line.slice(5)}\n`)
      .join('');
  return { exit: Number(/\[exit (\d+)\]/.exec(block)?.[1]), out: part('out'), err: part('err') };
}

/** A `dokku` first on PATH that gives these answers, and exit 99 to anything else. */
export function replayDokku(answers: Readonly<Record<string, Recorded>>): Disposable & { readonly calls: () => string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'pgbackup-replay-'));
  const cases = Object.entries(answers).map(([command, { exit, out, err }], i) => {
    writeFileSync(join(folder, `${i}.out`), out);
    writeFileSync(join(folder, `${i}.err`), err);
    return `${quote(command)}) cat '${folder}/${i}.out'; cat '${folder}/${i}.err' >&2; exit ${exit} ;;`;
  });
  const script = [
    '#!/bin/bash',
    `printf '%s\\n' "$*" "$DOKKU_TRACE$DOKKU_QUIET_OUTPUT$DOKKU_APP_NAME" >> '${folder}/calls'`,
    'case "$*" in',
    ...cases,
    '*) echo "not recorded: $*" >&2; exit 99 ;;',
    'esac',
    '',
  ];
  writeFileSync(join(folder, 'dokku'), script.join('\n'));
  chmodSync(join(folder, 'dokku'), 0o755);
  const before = process.env['PATH'];
  process.env['PATH'] = `${folder}:${before}`;
  return {
    calls: () => readFileSync(join(folder, 'calls'), 'utf8').split('\n').slice(0, -1),
    [Symbol.dispose]: () => {
      process.env['PATH'] = before;
      rmSync(folder, { recursive: true });
    },
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
