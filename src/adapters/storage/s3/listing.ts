import type { ListedKey } from '../../../ports.ts';
import type { Bucket } from './look.ts';
import { StrangeAnswerError } from './s3-error.ts';
import { etagOf } from './object-headers.ts';
import { endless, urlDecoded } from './uploads.ts';
import { elements, textOf } from './xml.ts';

/** All keys of the bucket that begin with a prefix. @throws S3Error and what the transport throws. */
export async function* listing({ client }: Bucket, prefix: string): AsyncGenerator<ListedKey & { readonly size: number }> {
  let token: string | undefined;
  const seen = new Set<string>();
  for (;;) {
    const answer = await client.call({
      operation: 'ListBucket',
      method: 'GET',
      // In URL coding, since XML cannot hold every sign that a key may have.
      query: { 'list-type': '2', prefix, 'encoding-type': 'url', ...(token !== undefined && { 'continuation-token': token }) },
    });
    const xml = answer.body.toString('utf8');
    // A web server says 200 to anything: without a list in it that is no empty bucket, but no storage.
    if (textOf(xml, 'ListBucketResult') === undefined) throw new StrangeAnswerError('it holds no list of objects');
    const coded = textOf(xml, 'EncodingType') === 'url';
    for (const entry of elements(xml, 'Contents')) {
      const key = textOf(entry, 'Key') ?? '';
      const [size, etag, modified] = [textOf(entry, 'Size'), etagOf(textOf(entry, 'ETag')), textOf(entry, 'LastModified')];
      yield {
        key: coded ? urlDecoded(key) : key,
        size: Number(size),
        tag: etag === undefined ? undefined : `${size}-${etag}`,
        modified: modified === undefined ? undefined : new Date(modified),
      };
    }
    const more = textOf(xml, 'IsTruncated');
    // What is not told to be the end is none: a backup that is not seen would be missed, and its archive taken for an orphan.
    if (more === undefined) throw new StrangeAnswerError('its list of objects does not tell whether it ends');
    token = more === 'true' ? textOf(xml, 'NextContinuationToken') : undefined;
    if (more === 'true' && !token) throw new StrangeAnswerError('its list of objects goes on, and it does not tell where');
    if (token === undefined) return;
    if (seen.has(token)) throw endless(answer);
    seen.add(token);
  }
}
