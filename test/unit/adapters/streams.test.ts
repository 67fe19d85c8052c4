import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFifo, readFifo, writeFifo } from '../../../src/adapters/fifo.ts';
import { onLine } from '../../../src/adapters/lines.ts';
import { noise } from '../../tools/bytes.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'pgbackup-fifo-'))));
afterEach(() => rmSync(root, { recursive: true }));

describe('a FIFO', () => {
  it('is for this user alone', async () => {
    await makeFifo(join(root, 'f'));
    const found = statSync(join(root, 'f'));
    expect(found.isFIFO()).toBe(true);
    expect(found.mode & 0o777).toBe(0o600);
  });

  it('that cannot be made is an error that says why', async () => {
    writeFileSync(join(root, 'f'), '');
    await expect(makeFifo(join(root, 'f'))).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining('File exists') });
  });

  it('gives every byte that another program writes', async () => {
    const bytes = noise(3_000_000);
    writeFileSync(join(root, 'source'), bytes);
    await makeFifo(join(root, 'f'));
    const reader = readFifo(join(root, 'f'));
    const writer = spawn('sh', ['-c', 'cat "$0/source" > "$0/f"', root]);
    const read = Buffer.concat(await reader.toArray());
    await (writer.exitCode === null ? once(writer, 'exit') : undefined);
    expect(read.equals(bytes)).toBe(true);
  });

  it('ends as an ordinary file does when its writer is killed: only an exit code tells', async () => {
    await makeFifo(join(root, 'f'));
    const reader = readFifo(join(root, 'f'));
    const writer = spawn('sh', ['-c', 'exec > "$0/f"; echo half; exec sleep 60', root]);
    await once(reader, 'readable');
    writer.kill('SIGKILL');
    expect(Buffer.concat(await reader.toArray()).toString()).toBe('half\n');
  });

  it('takes every byte for another program that reads', async () => {
    const bytes = noise(3_000_000);
    await makeFifo(join(root, 'f'));
    const reader = spawn('sh', ['-c', 'sleep 0.1; exec sha256sum < "$0/f"', root]);
    const writer = await writeFifo(join(root, 'f'), once(reader, 'exit'));
    if (!writer) throw new Error('the reader should have opened it');
    const printed = reader.stdout.toArray();
    await pipeline(Readable.from([bytes], { objectMode: false }), writer);
    const { createHash } = await import('node:crypto');
    expect(Buffer.concat(await printed).toString()).toContain(createHash('sha256').update(bytes).digest('hex'));
  });

  it('is not waited for where the reader ends without opening it, whether well or badly', async () => {
    await makeFifo(join(root, 'f'));
    expect(await writeFifo(join(root, 'f'), Promise.resolve())).toBeUndefined();
    expect(await writeFifo(join(root, 'f'), Promise.reject(new Error('exit 127')))).toBeUndefined();
  });

  it('breaks for the writer when the reader goes away', async () => {
    await makeFifo(join(root, 'f'));
    const reader = spawn('sh', ['-c', 'exec head -c 1 < "$0/f" > /dev/null', root]);
    const writer = await writeFifo(join(root, 'f'), once(reader, 'exit'));
    if (!writer) throw new Error('the reader should have opened it');
    await expect(pipeline(Readable.from([noise(3_000_000)], { objectMode: false }), writer)).rejects.toMatchObject({ code: 'EPIPE' });
  });

  it('that is not there is an error at once', async () => {
    await expect(writeFifo(join(root, 'gone'), new Promise(() => {}))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('the lines of a stream', () => {
  async function linesOf(chunks: readonly Uint8Array[]): Promise<string[]> {
    const stream = new PassThrough();
    const lines: string[] = [];
    onLine(stream, (line) => lines.push(line));
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
    await once(stream, 'end');
    return lines;
  }

  it('end at newlines and nowhere else: not at U+2028, which JSON and names may hold', async () => {
    expect(await linesOf([Buffer.from('a\u2028b\u0085c\rd\n\nlast\n')])).toEqual(['a\u2028b\u0085c\rd', '', 'last']);
  });

  it('are given once they are whole: what has no newline yet is none', async () => {
    expect(await linesOf([Buffer.from('one\ntw'), Buffer.from('o\nrest')])).toEqual(['one', 'two']);
  });

  it('are the same however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary' }).map((line) => line.replaceAll('\n', ''))),
        fc.integer({ min: 1, max: 5 }),
        async (lines, size) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
          expect(await linesOf(chunks)).toEqual(lines.map((line) => Buffer.from(line).toString('utf8')));
        },
      ),
    );
  });
});
