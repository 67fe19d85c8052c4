import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http';
import type { Endpoint } from './endpoint.ts';
import type { Timeouts } from './options.ts';
import { CutError, LongAnswerError, StallError } from './s3-error.ts';

// `import … from 'node:http'` asks for every name that it exports, among them a WebSocket for which Node then loads all
// of undici: 40 ms.
const http = process.getBuiltinModule('node:http');

/** A signed request. */
export interface Call {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds without a byte. */
  readonly stall: number;
}

/** The beginning of an answer; its body must be read or destroyed. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
  /** Whoever reads slowly watches over stalls alone. */
  unwatch(): void;
}

/** A whole answer. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Pieces in which a body is handed to the socket: TLS would otherwise encrypt all of a part into a second copy of it. */
const sliceBytes = 256 * 1024;
/** From this size on the storage is asked first, so that a refusal costs no upload. */
const announceFrom = 1024 * 1024;

/** HTTP to one endpoint over connections that are kept, with time-outs for everything. */
export class Transport {
  readonly #endpoint: Endpoint;
  readonly #timeouts: Timeouts;
  readonly #agent: Agent;
  readonly #request: (options: RequestOptions) => ClientRequest;
  /** False once the storage has shown that it does not answer to `Expect`. */
  #announces = true;

  /** @param ca PEM certificates that are trusted; undefined: Node's own. */
  constructor(endpoint: Endpoint, timeouts: Timeouts, ca: readonly string[] | undefined) {
    this.#endpoint = endpoint;
    this.#timeouts = timeouts;
    // Connections that rest are of no use to a program that ends, and may be dead to one that waited: 4 s is below every server's own limit.
    const options = { keepAlive: true, maxSockets: 64, maxFreeSockets: 64, timeout: 4000 };
    if (endpoint.secure) {
      const https = process.getBuiltinModule('node:https');
      this.#agent = new https.Agent({ ...options, ...(ca && { ca: [...ca] }) });
      this.#request = https.request;
    } else {
      this.#agent = new http.Agent(options);
      this.#request = http.request;
    }
  }

  /** Ends the connections that rest. */
  close(): void {
    this.#agent.destroy();
  }

  /** @throws what Node throws; StallError; the signal's reason. */
  async open(call: Call): Promise<Answer> {
    call.signal?.throwIfAborted();
    try {
      return await this.#send(call);
    } catch (error) {
      // A kept connection that the server closed at the same moment. Only for what may be asked twice.
      if (error instanceof UnusedError) return this.#send(call);
      throw error;
    }
  }

  /** @throws also CutError, and LongAnswerError for a body of more than `limit` bytes. */
  async exchange(call: Call, limit: number): Promise<WholeAnswer> {
    const answer = await this.open(call);
    return { status: answer.status, headers: answer.headers, body: await readAll(answer, limit) };
  }

  #send(call: Call): Promise<Answer> {
    const { body, signal } = call;
    const announced = this.#announces && body !== undefined && body.length >= announceFrom;
    return new Promise((resolve, reject) => {
      const request = this.#request({
        agent: this.#agent,
        hostname: this.#endpoint.hostname,
        port: this.#endpoint.port,
        method: call.method,
        path: call.path,
        headers: announced ? { ...call.headers, expect: '100-continue' } : call.headers,
      });
      let response: IncomingMessage | undefined;
      const kill = (error: unknown): void => {
        const reason = error instanceof Error ? error : new Error(String(error));
        reject(error);
        if (response) response.destroy(reason);
        else request.destroy(reason);
      };
      const stop = (): void => kill(signal?.reason);
      signal?.addEventListener('abort', stop, { once: true });

      const connecting = setTimeout(() => {
        kill(new StallError(`no connection within ${seconds(this.#timeouts.connect)}`));
      }, this.#timeouts.connect);
      let proceeding: NodeJS.Timeout | undefined;
      let sending = false;
      const proceed = (): void => {
        clearTimeout(proceeding);
        // The sign may come after we have given up waiting for it.
        if (sending || request.destroyed || response) return;
        sending = true;
        send(request, body);
      };
      const connected = (): void => {
        clearTimeout(connecting);
        if (!announced) return;
        proceeding = setTimeout(() => {
          this.#announces = false;
          proceed();
        }, this.#timeouts.proceed);
      };
      request.once('socket', (socket) => {
        if (socket.connecting) socket.once(this.#endpoint.secure ? 'secureConnect' : 'connect', connected);
        else connected();
      });
      request.setTimeout(call.stall);
      request.on('timeout', () => {
        // Before that the agent's own time-out counts, which is for connections that rest.
        if (!request.socket?.connecting) kill(new StallError(`nothing came or went for ${seconds(call.stall)}`));
      });
      if (announced) request.once('continue', proceed).flushHeaders();
      else proceed();

      request.once('response', (message) => {
        response = message;
        clearTimeout(proceeding);
        // An answer before the end of our body: the connection is good for nothing more.
        message.once('end', () => !request.writableFinished && request.destroy());
        resolve({
          status: message.statusCode ?? 0,
          headers: message.headers,
          body: message,
          unwatch: () => request.setTimeout(0),
        });
      });
      request.on('error', (error) => {
        const idle = request.reusedSocket && response === undefined && (call.method === 'GET' || call.method === 'HEAD');
        const unused = idle && isReset(error) && !signal?.aborted;
        reject(unused ? new UnusedError(error.message, { cause: error }) : error);
      });
      request.once('close', () => {
        clearTimeout(connecting);
        clearTimeout(proceeding);
        signal?.removeEventListener('abort', stop);
        if (!response) reject(new CutError('the connection was closed without an answer'));
      });
    });
  }
}

/** A kept connection that broke before any answer. */
class UnusedError extends Error {}

function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function send(request: ClientRequest, body: Uint8Array | undefined): void {
  let at = 0;
  const length = body?.length ?? 0;
  const more = (): void => {
    while (body && at < length && !request.destroyed) {
      const slice = body.subarray(at, at + sliceBytes);
      at += slice.length;
      if (!request.write(slice) && at < length) {
        request.once('drain', more);
        return;
      }
    }
    if (!request.destroyed) request.end();
  };
  more();
}

/** The whole body of an answer. @throws CutError; LongAnswerError for more than `limit` bytes. */
export async function readAll(answer: Answer, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > limit) throw new LongAnswerError(limit);
    chunks.push(chunk);
  }
  const [only] = chunks;
  const body = chunks.length === 1 && only ? Buffer.from(only.buffer, only.byteOffset, only.length) : Buffer.concat(chunks, bytes);
  if (!answer.body.complete) throw new CutError(`the answer ended after ${bytes} bytes`);
  return body;
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`;
}
