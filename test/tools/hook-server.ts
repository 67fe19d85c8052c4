import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { appendFileSync, readFileSync } from 'node:fs';

/** A request that an endpoint was sent. */
export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/**
 * How the endpoint answers: a status, or one of
 * `hang` (never), `reset` (closes the connection), `drip` (200, and a body of a byte a second without an end),
 * `slow-head` (a byte of the status line a second), `moved:<url>` and `kept:<url>` (302 and 307 to there).
 */
export type Answer = string;

/** An endpoint on loopback that notes what it is sent. */
export class HookServer implements AsyncDisposable {
  readonly received: Received[] = [];
  /** The answers to the next requests, in their order; the last goes for all that come after. */
  answers: Answer[];
  readonly #server: Server;

  private constructor(answers: Answer[]) {
    this.answers = answers;
    this.#server = createServer((request, response) => void this.#take(request, response));
  }

  static async listen(answers: Answer[] = ['200'], port = 0): Promise<HookServer> {
    const hook = new HookServer(answers);
    await new Promise<void>((resolve) => hook.#server.listen(port, '127.0.0.1', resolve));
    return hook;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Also told: `note` is called with each request once it is whole. */
  note: (received: Received) => void = () => {};

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const { method = '', url = '', headers } = request;
    const received = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
    this.received.push(received);
    this.note(received);
    const answer = (this.answers.length > 1 ? this.answers.shift() : this.answers[0]) ?? '200';
    const [word, ...rest] = answer.split(':');
    if (word === 'reset') request.socket.destroy();
    else if (word === 'drip') dripBody(response);
    else if (word === 'slow-head') dripHead(request);
    else if (word === 'moved' || word === 'kept') response.writeHead(word === 'moved' ? 302 : 307, { location: rest.join(':') }).end();
    else if (word !== 'hang') response.writeHead(Number(word)).end('thanks\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function dripBody(response: ServerResponse): void {
  response.writeHead(200);
  const timer = setInterval(() => response.write('.'), 1000);
  response.write('.');
  response.on('close', () => clearInterval(timer));
}

function dripHead(request: IncomingMessage): void {
  const text = 'HTTP/1.1 200 OK\r\n'.repeat(100);
  let at = 0;
  const timer = setInterval(() => request.socket.write(text[(at += 1)] ?? ' '), 1000);
  request.socket.on('close', () => clearInterval(timer));
}

/**
 * By hand and for bats: `node test/tools/hook-server.ts <file> [answers-file]` writes its port as the first line of the
 * file and each request as a line of JSON after it; the answers file holds one answer, read anew for each request.
 */
async function serve(file: string, answersFile: string | undefined): Promise<void> {
  const hook = await HookServer.listen();
  if (answersFile !== undefined) {
    Object.defineProperty(hook, 'answers', { get: () => [readFileSync(answersFile, 'utf8').trim()] });
  }
  hook.note = (received) => appendFileSync(file, `${JSON.stringify(received)}\n`);
  appendFileSync(file, `${hook.port}\n`);
}

const [, program, file, answersFile] = process.argv;
if (program?.endsWith('hook-server.ts') && file !== undefined) await serve(file, answersFile);
