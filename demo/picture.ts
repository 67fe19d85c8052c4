// Runs the demo on a terminal of its own and draws what stood on it: docs/demo.svg.
// usage: npm run demo:picture
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { drawTerminal } from './svg.ts';
import { lineText, screenLines, type Cell } from './terminal.ts';

/** Headings of the demo whose sections are drawn; the rest of it would make the picture too tall to be read. */
const drawn = ['A backup.', 'A bad day', 'The way back.', 'Is it the same data?'];

const root = new URL('..', import.meta.url).pathname;

/** A host name that is nobody's: the backups' ids and paths carry it. */
async function record(): Promise<string> {
  const child = spawn('unshare', ['--uts', 'sh', '-c', 'hostname localhost; exec script --quiet --return --command demo/run /dev/null'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    process.stdout.write(chunk);
  });
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`The demo failed (exit ${child.exitCode}): there is nothing to draw`);
  return Buffer.concat(chunks).toString('utf8');
}

/** The sections to draw, a blank line between them. */
function choose(lines: readonly Cell[][]): Cell[][] {
  let wanted = false;
  const chosen = lines.filter((line) => {
    const text = lineText(line);
    if (text.startsWith('# ')) wanted = drawn.some((heading) => text.startsWith(`# ${heading}`));
    return wanted;
  });
  while (chosen.at(-1)?.length === 0) chosen.pop();
  return chosen;
}

const lines = choose(screenLines(await record()));
writeFileSync(
  `${root}docs/demo.svg`,
  drawTerminal(lines, 'npm run demo: a backup, a disaster, a restore, and the proof that all data is back'),
);
process.stdout.write(`\ndocs/demo.svg: ${lines.length} lines\n`);
