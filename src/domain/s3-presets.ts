import { PgbackupError } from './errors.ts';
import { type S3Config, s3Defaults } from './s3-config.ts';

/** Names of the providers that a storage can be set up for. */
export const providers = ['amazon', 'ceph', 'minio', 'r2', 'b2', 'wasabi', 'digitalocean', 'scaleway', 'ovh', 'google'] as const;
export type Provider = (typeof providers)[number];

/** How a provider differs from Amazon, as far as a storage must know. */
interface Preset {
  readonly title: string;
  /** With `{region}` where its name goes; undefined: everybody has an endpoint of their own; null: Amazon's. */
  readonly endpoint: string | null | undefined;
  /** Where there is only one, or none that matters. */
  readonly region?: string;
  readonly differs?: Partial<Pick<S3Config, 'pathStyle' | 'maxParts' | 'checksums'>>;
  /** For the hint when the endpoint or the region is missing. */
  readonly example: string;
}

const presets: Readonly<Record<Provider, Preset>> = {
  // Keeps the sums it is given and shows them: an upload is then proven without being read back, encrypted with KMS or not.
  amazon: { title: 'Amazon S3', endpoint: null, differs: { checksums: 'when-supported' }, example: '--region eu-central-1' },
  // Buckets are names in the path unless somebody has set up a wildcard in the DNS; regions are called as one likes.
  ceph: {
    title: 'Ceph RADOS Gateway',
    endpoint: undefined,
    region: 'us-east-1',
    differs: { pathStyle: true },
    example: '--endpoint https://rgw.example.com',
  },
  minio: {
    title: 'MinIO',
    endpoint: undefined,
    region: 'us-east-1',
    differs: { pathStyle: true },
    example: '--endpoint https://minio.example.com:9000',
  },
  // https://developers.cloudflare.com/r2/api/s3/api/: region auto; parts of one size, which ours always have.
  r2: {
    title: 'Cloudflare R2',
    endpoint: undefined,
    region: 'auto',
    differs: { pathStyle: true },
    example: '--endpoint https://<account-id>.r2.cloudflarestorage.com',
  },
  // https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api: an application key, not the master key.
  b2: { title: 'Backblaze B2', endpoint: 'https://s3.{region}.backblazeb2.com', example: '--region eu-central-003' },
  wasabi: { title: 'Wasabi', endpoint: 'https://s3.{region}.wasabisys.com', example: '--region eu-central-1' },
  digitalocean: { title: 'DigitalOcean Spaces', endpoint: 'https://{region}.digitaloceanspaces.com', example: '--region fra1' },
  // https://www.scaleway.com/en/docs/object-storage/api-cli/multipart-uploads/: 1 to 1000 parts
  scaleway: {
    title: 'Scaleway Object Storage',
    endpoint: 'https://s3.{region}.scw.cloud',
    differs: { maxParts: 1000 },
    example: '--region fr-par',
  },
  ovh: { title: 'OVHcloud Object Storage', endpoint: 'https://s3.{region}.io.cloud.ovh.net', example: '--region gra' },
  // https://cloud.google.com/storage/docs/interoperability: HMAC keys, the region is not looked at.
  google: {
    title: 'Google Cloud Storage',
    endpoint: 'https://storage.googleapis.com',
    region: 'auto',
    differs: { pathStyle: true },
    example: '--bucket <bucket>, and HMAC keys of a service account',
  },
};

/** What a person gives besides the provider. */
export interface Given {
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
}

/**
 * What a definition begins with at a provider; everything can be set otherwise. Undefined: none of those named, so that
 * endpoint and region say all.
 * @throws PgbackupError usage, where the provider needs more than was given.
 */
export function presetFor(provider: Provider | undefined, given: Given): Omit<S3Config, 'bucket'> {
  const preset = provider && presets[provider];
  const region = given.region ?? preset?.region;
  const endpoint = given.endpoint ?? (preset ? preset.endpoint : null)?.replace('{region}', region ?? '');
  if (region === undefined) {
    throw new PgbackupError('usage', `${preset?.title ?? 'A storage in S3'} needs a region`, {
      hint: `Add it: ${preset?.example ?? '--region us-east-1'}`,
    });
  }
  if (preset && preset.endpoint === undefined && endpoint === undefined) {
    throw new PgbackupError('usage', `${preset.title} needs an endpoint: there is none for all`, { hint: `Add it: ${preset.example}` });
  }
  return { ...s3Defaults, ...preset?.differs, region, endpoint: endpoint ?? null };
}
