import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../domain/errors.ts';
import { signedText, type NoticeOutcome, type NoticeRequest } from '../domain/notice.ts';
import { maskUrl } from '../domain/url.ts';
import type { Clock, Notifier } from '../ports.ts';

const redirects = new Set([301, 302, 303, 307, 308]);

/** Milliseconds before the one retry. */
const pause = 250;

/** How an attempt ended. */
interface Answer {
  readonly status: number | null;
  readonly message: string | null;
  /** Another attempt may end better. */
  readonly retry: boolean;
}

/** Calls endpoints over HTTP. */
export class HttpNotifier implements Notifier {
  readonly version: string;
  readonly #clock: Clock;

  constructor(clock: Clock, version: string) {
    this.#clock = clock;
    this.version = version;
  }

  async deliver(requests: readonly NoticeRequest[], timeout: number): Promise<readonly NoticeOutcome[]> {
    boundNameLookups();
    const signal = AbortSignal.timeout(timeout * 1000);
    return Promise.all(
      requests.map(async (request): Promise<NoticeOutcome> => {
        const begun = performance.now();
        const { status, message } = await this.#twice(request, signal, timeout);
        const milliseconds = Math.round(performance.now() - begun);
        return { endpoint: request.endpoint, url: maskUrl(request.url), ok: message === null, status, milliseconds, message };
      }),
    );
  }

  async #twice(request: NoticeRequest, signal: AbortSignal, timeout: number): Promise<Answer> {
    const first = await this.#once(request, signal, timeout);
    if (!first.retry || signal.aborted) return first;
    try {
      await sleep(pause, undefined, { signal });
    } catch {
      return first;
    }
    const second = await this.#once(request, signal, timeout);
    // The time ran out over the second: what is known is how the first ended.
    return second.status === null && signal.aborted ? first : second;
  }

  async #once(request: NoticeRequest, signal: AbortSignal, timeout: number): Promise<Answer> {
    let url = new URL(request.url);
    try {
      for (let hop = 0; ; hop += 1) {
        const response = await fetch(url, {
          method: request.method,
          headers: this.#headers(request),
          ...(request.body && { body: request.body.text }),
          redirect: 'manual',
          signal,
        });
        // The status says it all: a body that drips for ever is not waited for.
        response.body?.cancel().catch(() => {});
        const { status } = response;
        if (response.ok) return { status, message: null, retry: false };
        const next = redirects.has(status) ? follow(request, url, response.headers.get('location')) : undefined;
        if (next && hop < 3) url = next;
        else return { status, message: refusal(status, redirects.has(status)), retry: status >= 500 };
      }
    } catch (error) {
      const late = signal.aborted;
      return { status: null, message: late ? `no answer within ${timeout} s` : reason(error), retry: !late };
    }
  }

  #headers(request: NoticeRequest): Record<string, string> {
    const headers: Record<string, string> = { ...request.headers, 'User-Agent': `dokku-pgbackup/${this.version}` };
    if (request.body) headers['Content-Type'] = `${request.body.type}; charset=utf-8`;
    if (request.body && request.secret !== undefined) {
      const timestamp = String(Math.floor(this.#clock.now().getTime() / 1000));
      headers['X-Pgbackup-Timestamp'] = timestamp;
      const signature = createHmac('sha256', request.secret).update(signedText(timestamp, request.body.text)).digest('hex');
      headers['X-Pgbackup-Signature'] = `sha256=${signature}`;
    }
    return headers;
  }
}

/**
 * Where a redirect leads, if it may be followed: only what has no body, only to the same host, and never from https
 * to http. What a notice says, and the token in its path, are for the host that was named.
 */
function follow(request: NoticeRequest, from: URL, location: string | null): URL | undefined {
  const to = location === null ? null : URL.parse(location, from.href);
  if (!to || request.body || to.hostname !== from.hostname) return undefined;
  return to.protocol === 'https:' || to.protocol === from.protocol ? to : undefined;
}

function refusal(status: number, moved: boolean): string {
  return moved ? `HTTP ${status}: it has moved; set the address that it redirects to` : `HTTP ${status}`;
}

/** fetch says "fetch failed"; why stands in the cause. None of them holds more than a host and a port. */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  // Of a host with several addresses: one error each.
  if (cause instanceof AggregateError && cause.errors.length > 0) return messageOf(cause.errors[0]);
  return messageOf(cause);
}

/**
 * A lookup that is under way cannot be taken back, and keeps the process from ending: glibc waits 10 s for a name
 * server that does not answer, measured. It reads this when it first looks a name up.
 */
function boundNameLookups(): void {
  process.env['RES_OPTIONS'] ??= 'timeout:1 attempts:1';
}
