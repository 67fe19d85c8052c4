/** The metadata service of an EC2 instance, version 2 alone, on loopback: for AWS_EC2_METADATA_SERVICE_ENDPOINT. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from './loopback.ts';

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Empty by default: a server that knows no role, as RGW here, takes the keys alone. */
  readonly sessionToken?: string;
  readonly expires?: Date;
}

export interface ImdsRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface Imds extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly ImdsRequest[];
  /** How often credentials have been given out. */
  readonly given: number;
  /** What the role has from now on; undefined: the instance has no role. */
  rotate(credentials: RoleCredentials | undefined): void;
  /** Session tokens given out before are refused from now on. */
  expireTokens(): void;
}

const tokenPath = '/latest/api/token';
const credentialsPath = '/latest/meta-data/iam/security-credentials/';
const longestToken = 21_600; // seconds: the service's own limit

interface Answer {
  readonly status: number;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param first what the role has at first; they expire in six hours unless they say otherwise. */
export async function openImds(first: RoleCredentials | undefined, { role = 'backup', region = 'us-east-1' } = {}): Promise<Imds> {
  const requests: ImdsRequest[] = [];
  const tokens = new Map<string, number>();
  let credentials = first;
  let given = 0;

  const giveToken = ({ headers }: IncomingMessage): Answer => {
    const ttl = Number(headers['x-aws-ec2-metadata-token-ttl-seconds']);
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > longestToken) return { status: 400 };
    // A request that went through a proxy is none of the instance's own.
    if (headers['x-forwarded-for'] !== undefined) return { status: 403 };
    const token = randomBytes(24).toString('base64url');
    tokens.set(token, Date.now() + ttl * 1000);
    return { status: 200, text: token, headers: { 'x-aws-ec2-metadata-token-ttl-seconds': String(ttl) } };
  };

  const hasToken = ({ headers }: IncomingMessage): boolean => (tokens.get(String(headers['x-aws-ec2-metadata-token'])) ?? 0) > Date.now();

  const documents: Readonly<Record<string, () => string | undefined>> = {
    [credentialsPath]: () => credentials && role,
    [`${credentialsPath}${role}`]: () => {
      if (!credentials) return undefined;
      given += 1;
      return credentialsDocument(credentials);
    },
    '/latest/meta-data/placement/region': () => region,
    '/latest/meta-data/placement/availability-zone': () => `${region}a`,
    '/latest/dynamic/instance-identity/document': () =>
      JSON.stringify({
        version: '2017-09-30',
        region,
        availabilityZone: `${region}a`,
        instanceId: 'i-0123456789abcdef0',
        accountId: '123456789012',
      }),
  };

  const answerTo = (request: IncomingMessage): Answer => {
    if (request.url === tokenPath) return request.method === 'PUT' ? giveToken(request) : { status: 405 };
    // Version 1 asked without a token.
    if (!hasToken(request)) return { status: 401 };
    if (request.method !== 'GET') return { status: 405 };
    const text = documents[request.url ?? '']?.();
    return text === undefined ? { status: 404 } : { status: 200, text };
  };

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    request.resume();
    const { status, text = '', headers = {} } = answerTo(request);
    requests.push({ method: request.method ?? '', path: request.url ?? '', status });
    response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(text);
  };

  return {
    ...(await listen(createServer(handle))),
    requests,
    get given() {
      return given;
    },
    rotate(next) {
      credentials = next;
    },
    expireTokens() {
      tokens.clear();
    },
  };
}

function credentialsDocument({ accessKeyId, secretAccessKey, sessionToken = '', expires }: RoleCredentials): string {
  return JSON.stringify({
    Code: 'Success',
    LastUpdated: new Date().toISOString(),
    Type: 'AWS-HMAC',
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: sessionToken,
    Expiration: (expires ?? new Date(Date.now() + 6 * 3_600_000)).toISOString(),
  });
}
