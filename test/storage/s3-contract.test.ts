import { describeStorageContract } from '../contract/storage.ts';
import { openS3 } from './open-s3.ts';

describeStorageContract('S3 (Ceph)', () => openS3('rgw', { config: { prefix: 'a b/naïve+' } }));
describeStorageContract('S3 (Ceph, parts of 5 MiB, all checksums)', () =>
  openS3('rgw', { config: { partSize: 5, checksums: 'when-supported' } }),
);
describeStorageContract('S3 (Swift)', () => openS3('swift'));
