import type { S3Config } from '../../../domain/s3-config.ts';

/** Where requests for one bucket go. */
export interface Endpoint {
  readonly secure: boolean;
  /** For connecting: an IPv6 address without its brackets. */
  readonly hostname: string;
  readonly port: number;
  /** As it is signed: with the port where it is not the usual one. */
  readonly host: string;
  /** What every path begins with: `/bucket` or nothing. */
  readonly base: string;
}

export function endpointOf(config: Pick<S3Config, 'bucket' | 'endpoint' | 'region' | 'pathStyle'>): Endpoint {
  const url = new URL(config.endpoint ?? amazon(config.region));
  const bucket = config.pathStyle ? '' : `${config.bucket}.`;
  const secure = url.protocol === 'https:';
  return {
    secure,
    hostname: (bucket + url.hostname).replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    host: bucket + url.host,
    base: config.pathStyle ? `/${config.bucket}` : '',
  };
}

function amazon(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** A path or a query value as the signature wants it: everything but the unreserved signs of RFC 3986. */
export function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The path of an object, its slashes kept. */
export function objectPath(endpoint: Endpoint, key: string): string {
  return `${endpoint.base}/${key.split('/').map(encoded).join('/')}`;
}
