import type { Bucket } from './look.ts';
import { S3Error } from './s3-error.ts';
import type { WholeAnswer } from './transport.ts';
import { elements, textOf } from './xml.ts';

/** An upload that was begun and neither completed nor aborted. */
export interface OpenUpload {
  readonly key: string;
  readonly id: string;
  /** When it was begun; undefined: the storage does not tell. */
  readonly begun: Date | undefined;
}

/** The open uploads of keys that begin with a prefix. @throws S3Error. */
export async function* uploadsOf({ client }: Bucket, prefix: string, signal?: AbortSignal): AsyncGenerator<OpenUpload> {
  let marker: Record<string, string> = {};
  for (;;) {
    const answer = await client.call({
      operation: 'ListBucketMultipartUploads',
      method: 'GET',
      query: { uploads: '', prefix, 'encoding-type': 'url', ...marker },
      signal,
    });
    const xml = answer.body.toString('utf8');
    const coded = textOf(xml, 'EncodingType') === 'url';
    for (const upload of elements(xml, 'Upload')) {
      const [key, id] = [textOf(upload, 'Key'), textOf(upload, 'UploadId')];
      const begun = textOf(upload, 'Initiated');
      if (key !== undefined && id !== undefined)
        yield { key: coded ? urlDecoded(key) : key, id, begun: begun === undefined ? undefined : new Date(begun) };
    }
    const [key, id] = [textOf(xml, 'NextKeyMarker'), textOf(xml, 'NextUploadIdMarker')];
    if (textOf(xml, 'IsTruncated') !== 'true' || !key) return;
    const next = { 'key-marker': coded ? urlDecoded(key) : key, ...(id && { 'upload-id-marker': id }) };
    if (next['key-marker'] === marker['key-marker'] && id === marker['upload-id-marker']) throw endless(answer);
    marker = next;
  }
}

/** Ends an upload; one that is gone already is no error. @throws S3Error. */
export async function abortUpload({ client }: Bucket, key: string, id: string, signal?: AbortSignal): Promise<void> {
  try {
    await client.call({ operation: 'AbortMultipartUpload', method: 'DELETE', key, query: { uploadId: id }, signal });
  } catch (error) {
    if (!(error instanceof S3Error && (error.code === 'NoSuchUpload' || error.code === 'NoSuchKey' || error.code === 'NoSuchBucket')))
      throw error;
  }
}

/** A page that names itself as the next one. */
export function endless({ headers }: WholeAnswer): S3Error {
  return new S3Error(502, headers, '<Error><Message>the storage lists without an end: a page leads to itself</Message></Error>');
}

/** A key in a listing that was asked for in URL coding, in which a plus is a space. @throws S3Error. */
export function urlDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new S3Error(502, {}, '<Error><Message>the storage lists a key in no URL coding</Message></Error>');
  }
}
