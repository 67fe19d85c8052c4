/**
 * A proxy on loopback that stands before an S3 server and breaks what it is told to break. It passes headers on as
 * they came, Host too, so that signatures stay valid.
 */
import { Agent, createServer, request as ask, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline, type Transform } from 'node:stream';
import { Rule, type Fault, type Match, type Times } from './fault-rules.ts';
import { corruptAt, cutAfter, throttle } from './fault-streams.ts';
import { listen } from './loopback.ts';

export { asked, type Fault, type Match, type Times } from './fault-rules.ts';

/** A request that came by. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  /** The header of that name: a download that goes on begins with `bytes=` and more than 0. */
  readonly range: string | undefined;
  readonly fault: Fault['kind'] | undefined;
}

export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  readonly seen: readonly Seen[];
  /** From now on; the first rule whose turn it is strikes. @returns what tells how often it took effect. */
  add(match: Match, fault: Fault, times?: Times): { readonly hits: number };
  /** No rules any more, and nothing seen. */
  clear(): void;
}

/** One request on its way. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly answer: ServerResponse;
  /** It waits for 100 Continue. */
  readonly waits: boolean;
  readonly rule: Rule | undefined;
}

/** @param server like http://127.0.0.1:8010; TLS is not spoken. */
export async function openFaultProxy(server: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(server);
  // Idle connections go before the server closes them: every fault here shall be ours.
  const agent = new Agent({ keepAlive: true, timeout: 20_000 });
  const rules: Rule[] = [];
  const seen: Seen[] = [];

  const handle = (request: IncomingMessage, answer: ServerResponse, waits: boolean): void => {
    const { method = '', url = '' } = request;
    const rule = rules.find((candidate) => candidate.strikes(method, url));
    seen.push({ method, url, range: request.headers.range, fault: rule?.fault.kind });
    act({ request, answer, waits, rule }, () =>
      ask({ hostname, port, method, path: url, headers: passedOn(request), agent, setHost: false }),
    );
  };

  const front = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 }, (request, answer) =>
    handle(request, answer, false),
  );
  front.on('checkContinue', (request, answer) => handle(request, answer, true));
  const listening = await listen(front);
  return {
    url: listening.url,
    seen,
    add(match, fault, times = {}) {
      const rule = new Rule(match, fault, times);
      rules.push(rule);
      return rule;
    },
    clear() {
      rules.length = 0;
      seen.length = 0;
    },
    async [Symbol.asyncDispose]() {
      await listening[Symbol.asyncDispose]();
      agent.destroy();
    },
  };
}

/** Headers as they came, in pairs, less those that concern one connection. */
function passedOn({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_, at) => !/^(connection|expect)$/i.test(rawHeaders[at - (at % 2)] ?? ''));
}

function act(exchange: Exchange, connect: () => ClientRequest): void {
  const { request, rule } = exchange;
  const fault = rule?.fault;
  switch (fault?.kind) {
    case 'reset':
      rule?.hit();
      return reset(request);
    case 'hang':
      rule?.hit();
      welcome(exchange);
      request.resume();
      return;
    case 'status':
    case 'error-in-200':
      rule?.hit();
      return answerInstead(exchange, fault);
    case 'delay':
      rule?.hit();
      setTimeout(() => forward(exchange, connect()), fault.milliseconds);
      return;
    case 'throttle':
      rule?.hit();
      return forward(exchange, connect());
    case 'cut':
    case 'corrupt':
    case 'lost-answer':
    case undefined:
      return forward(exchange, connect());
  }
}

function reset(request: IncomingMessage): void {
  request.socket.resetAndDestroy();
}

function welcome({ answer, waits }: Exchange): void {
  if (waits) answer.writeContinue();
}

/** The server hears nothing of it. */
function answerInstead(exchange: Exchange, fault: Extract<Fault, { kind: 'status' | 'error-in-200' }>): void {
  const { request, answer } = exchange;
  const early = fault.kind === 'status' && fault.early === true;
  const send = (): void => {
    const status = fault.kind === 'status' ? fault.status : 200;
    const headers = fault.kind === 'status' ? fault.headers : {};
    answerError(answer, status, fault.code, { ...headers, ...(early ? { connection: 'close' } : {}) });
  };
  if (early) return send();
  welcome(exchange);
  request.on('end', send);
  request.resume();
}

function answerError(answer: ServerResponse, status: number, code = 'InternalError', headers: Readonly<Record<string, string>> = {}): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>injected</Message><RequestId>FAULT</RequestId></Error>`;
  answer.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body), ...headers });
  answer.end(answer.req.method === 'HEAD' ? undefined : body);
}

function forward(exchange: Exchange, onward: ClientRequest): void {
  const { request, answer, rule } = exchange;
  welcome(exchange);
  answer.on('close', () => {
    if (!answer.writableFinished) onward.destroy();
  });
  let answered = false;
  onward.on('response', (back) => {
    answered = true;
    if (rule?.fault.kind === 'lost-answer') return loseAnswer(exchange, back, rule.fault.status);
    answer.writeHead(back.statusCode ?? 502, back.rawHeaders);
    // Otherwise headers wait for the first byte of the body, which a throttled or silent one is late with.
    answer.flushHeaders();
    const through = body('response', exchange, () => back.destroy());
    // An answer that breaks off at the server breaks off at the client too: pipeline() destroys all of its streams.
    if (through) pipeline(back, through, answer, () => {});
    else pipeline(back, answer, () => {});
  });
  onward.on('error', () => {
    // A server may answer without reading the whole body, and close: the answer counts.
    if (!answered) reset(request);
  });
  const through = body('request', exchange, () => onward.destroy());
  // No pipeline(): when a server has answered without reading the whole body, it would take the client's connection with it.
  (through ? request.pipe(through) : request).pipe(onward);
}

function loseAnswer({ request, answer, rule }: Exchange, back: IncomingMessage, status: number | undefined): void {
  back.on('end', () => {
    rule?.hit();
    if (status === undefined) reset(request);
    else answerError(answer, status);
  });
  back.resume();
}

/** The fault on this way's body, if it is there. @param abandon ends the other half of the exchange. */
function body(way: 'request' | 'response', { request, rule }: Exchange, abandon: () => void): Transform | undefined {
  const fault = rule?.fault;
  if (!rule || !fault || !('way' in fault) || fault.way !== way) return undefined;
  switch (fault.kind) {
    case 'throttle':
      return throttle(fault.bytesPerSecond);
    case 'corrupt':
      return corruptAt(fault.at, rule.hit);
    case 'cut':
      return cutAfter(fault.after, () => {
        rule.hit();
        if (fault.by === 'stall') return;
        if (fault.by === 'reset') reset(request);
        else request.socket.end();
        abandon();
      });
  }
}
