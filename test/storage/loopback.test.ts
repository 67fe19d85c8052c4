import { ListBucketsCommand } from '@aws-sdk/client-s3';
import { fromInstanceMetadata } from '@smithy/credential-provider-imds';
import { beforeEach, describe, expect, test } from 'vitest';
import { openImds } from '../tools/imds.ts';
import { s3Client, s3Server } from '../tools/s3-server.ts';

describe('the metadata service', () => {
  const keysOf = ({ accessKeyId, secretAccessKey }: { accessKeyId: string; secretAccessKey: string }): string[] => [
    accessKeyId,
    secretAccessKey,
  ];

  beforeEach(() => {
    const before = process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
    return () => {
      if (before === undefined) delete process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
      else process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = before;
    };
  });

  test("gives the SDK a role's keys, which rgw takes, and others when they have changed", async () => {
    const server = s3Server('rgw');
    await using imds = await openImds(server);
    process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = imds.url;
    const provider = fromInstanceMetadata({ ec2MetadataV1Disabled: true });
    const client = s3Client(server, { credentials: provider });
    await client.send(new ListBucketsCommand({}));
    expect(imds.requests).toEqual([
      { method: 'PUT', path: '/latest/api/token', status: 200 },
      { method: 'GET', path: '/latest/meta-data/iam/security-credentials/', status: 200 },
      { method: 'GET', path: '/latest/meta-data/iam/security-credentials/backup', status: 200 },
    ]);
    imds.rotate({ accessKeyId: 'next', secretAccessKey: 'secret', sessionToken: 'token' });
    expect(keysOf(await provider())).toEqual(['next', 'secret']);
    expect(imds.given).toBe(2);
    client.destroy();
  });

  test('keys that are about to expire are asked for again', async () => {
    const server = s3Server('rgw');
    await using imds = await openImds({ ...server, expires: new Date(Date.now() + 30_000) });
    process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = imds.url;
    const client = s3Client(server, { credentials: fromInstanceMetadata({ ec2MetadataV1Disabled: true }) });
    await client.send(new ListBucketsCommand({}));
    await client.send(new ListBucketsCommand({}));
    expect(imds.given).toBeGreaterThan(1);
    client.destroy();
  });

  test('refuses the calls of version 1, strange lifetimes, and tokens that have expired', async () => {
    await using imds = await openImds(undefined, { region: 'eu-central-1' });
    const region = `${imds.url}/latest/meta-data/placement/region`;
    const token = async (ttl: string): Promise<Response> =>
      fetch(`${imds.url}/latest/api/token`, { method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': ttl } });
    expect((await fetch(region)).status).toBe(401);
    expect((await token('0')).status).toBe(400);
    expect((await token('90000')).status).toBe(400);
    const headers = { 'x-aws-ec2-metadata-token': await (await token('60')).text() };
    expect(await (await fetch(region, { headers })).text()).toBe('eu-central-1');
    const document: unknown = await (await fetch(`${imds.url}/latest/dynamic/instance-identity/document`, { headers })).json();
    expect(document).toMatchObject({ region: 'eu-central-1', availabilityZone: 'eu-central-1a' });
    expect((await fetch(`${imds.url}/latest/meta-data/iam/security-credentials/`, { headers })).status).toBe(404);
    imds.expireTokens();
    expect((await fetch(region, { headers })).status).toBe(401);
  });
});
