/** Which request a fault strikes, and which fault. */

/** Bodies have two ways. */
type Way = 'request' | 'response';

export type Fault =
  /** The server's answer is replaced by this one, and it never hears the request. `early`: without reading the body. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly code?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly early?: boolean;
    }
  /** 200 with an error for a body, as S3 answers CompleteMultipartUpload and CopyObject; the server never hears the request. */
  | { readonly kind: 'error-in-200'; readonly code?: string }
  /** RST before a byte of the body was read. */
  | { readonly kind: 'reset' }
  /** The request is read and never answered. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'delay'; readonly milliseconds: number }
  | { readonly kind: 'throttle'; readonly way: Way; readonly bytesPerSecond: number }
  /** After so many bytes of a body: RST, FIN, or silence on an open connection. */
  | { readonly kind: 'cut'; readonly way: Way; readonly after: number; readonly by: 'reset' | 'end' | 'stall' }
  /** Every bit of the byte at this position of a body is turned. */
  | { readonly kind: 'corrupt'; readonly way: Way; readonly at: number }
  /** The server does what it was asked; its answer becomes RST, or this status. */
  | { readonly kind: 'lost-answer'; readonly status?: number };

/** All that is given must hold. */
export interface Match {
  readonly method?: string;
  /** Against path and query, as sent. */
  readonly url?: RegExp;
  /** Number of a multipart upload's part. */
  readonly part?: number;
}

/** Requests of S3 by their names. */
export const asked = {
  get: { method: 'GET', url: /^\/[^/?]+\/[^?]+(\?(?!.*uploadId=).*)?$/ },
  head: { method: 'HEAD' },
  list: { method: 'GET', url: /[?&]list-type=2/ },
  put: { method: 'PUT', url: /^\/[^/?]+\/[^?]+(\?(?!.*uploadId=).*)?$/ },
  remove: { method: 'DELETE', url: /^\/[^/?]+\/[^?]+(\?(?!.*uploadId=).*)?$/ },
  createUpload: { method: 'POST', url: /[?&]uploads(=|&|$)/ },
  anyPart: { method: 'PUT', url: /[?&]partNumber=/ },
  part: (part: number): Match => ({ method: 'PUT', part }),
  complete: { method: 'POST', url: /[?&]uploadId=/ },
  abort: { method: 'DELETE', url: /[?&]uploadId=/ },
} as const;

/** How many of the requests that match are spared first, and how many are struck then (default: one). */
export interface Times {
  readonly skip?: number;
  readonly times?: number;
}

/** A fault that waits for its requests. */
export class Rule {
  readonly fault: Fault;
  readonly #match: Match;
  readonly #first: number;
  readonly #last: number;
  #seen = 0;
  #hits = 0;

  constructor(match: Match, fault: Fault, { skip = 0, times = 1 }: Times) {
    this.fault = fault;
    this.#match = match;
    this.#first = skip + 1;
    this.#last = skip + times;
  }

  /** How often the fault took effect: a body may end before the byte that should be turned. */
  get hits(): number {
    return this.#hits;
  }

  readonly hit = (): void => {
    this.#hits += 1;
  };

  /** Is it the turn of this request? Every one that matches counts. */
  strikes(method: string, url: string): boolean {
    if (!matches(this.#match, method, url)) return false;
    this.#seen += 1;
    return this.#seen >= this.#first && this.#seen <= this.#last;
  }
}

function matches(match: Match, method: string, url: string): boolean {
  if (match.method !== undefined && match.method !== method) return false;
  if (match.url !== undefined && !match.url.test(url)) return false;
  return match.part === undefined || new URLSearchParams(url.split('?')[1]).get('partNumber') === String(match.part);
}
