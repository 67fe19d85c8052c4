import type { Bucket } from './look.ts';
import { isDenied, S3Error } from './s3-error.ts';
import { abortUpload, uploadsOf } from './uploads.ts';

/**
 * Deletes one object; a missing one is no error. Never several in one request: providers differ in the checksum that
 * they want with it.
 * @throws S3Error and what the transport throws.
 */
export async function deleteObject({ client }: Bucket, key: string): Promise<void> {
  try {
    await client.call({ operation: 'DeleteObject', method: 'DELETE', key });
  } catch (error) {
    // Amazon calls it done, others say so.
    if (!(error instanceof S3Error && (error.code === 'NoSuchKey' || error.code === 'NoSuchVersion'))) throw error;
  }
}

/** Aborts what killed uploads left under the prefix; not those that this process has under way. @throws S3Error and what the transport throws. */
export async function sweepUploads(bucket: Bucket, prefix: string, olderThan?: Date): Promise<void> {
  try {
    for await (const open of uploadsOf(bucket, prefix)) {
      // Where the storage does not tell when one was begun, it may just have been.
      if (olderThan !== undefined && !(open.begun !== undefined && open.begun < olderThan)) continue;
      if (!bucket.active.has(open.id)) await abortUpload(bucket, open.key, open.id);
    }
  } catch (error) {
    // Keys that may only write, and providers that do not list uploads: a backup does not depend on it.
    if (isDenied(error) || (error instanceof S3Error && (error.status === 501 || error.status === 405))) return;
    throw error;
  }
}
