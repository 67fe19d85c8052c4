import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openS3Storage, type S3Storage } from '../../../src/adapters/storage/s3/s3.ts';
import { PgbackupError } from '../../../src/domain/errors.ts';
import { parseS3Config, s3Defaults } from '../../../src/domain/s3-config.ts';
import { chunksOf, failure, keysIn } from '../../tools/bytes.ts';
import { type Listening, listen } from '../../tools/loopback.ts';

type Handler = (request: IncomingMessage, answer: ServerResponse) => void;

const whole = 300;

/** A byte now and then, as long as anybody listens: no stall, and no end. */
function drip(write: (text: string) => void, closed: () => boolean): void {
  const timer = setInterval(() => (closed() ? clearInterval(timer) : write(' ')), 20);
}

const slowly: Handler = (_, answer) => {
  answer.flushHeaders();
  drip(
    (text) => answer.write(text),
    () => answer.destroyed,
  );
};

const slowHeaders: Handler = ({ socket }) => {
  socket.write('HTTP/1.1 200 OK\r\nx-long: a');
  drip(
    () => socket.write('a'),
    () => socket.destroyed,
  );
};

const page = (inner: string): Handler => {
  const end = inner.includes('<IsTruncated>') ? '' : '<IsTruncated>false</IsTruncated>';
  return (_, answer) => answer.end(`<ListBucketResult><EncodingType>url</EncodingType>${inner}${end}</ListBucketResult>`);
};

describe('a storage in S3 whose answers have no end', () => {
  let server: Listening;
  let storage: S3Storage;
  let handlers: Handler[] = [];
  let requests = 0;

  beforeEach(async () => {
    requests = 0;
    server = await listen(
      createServer((request, answer) => {
        requests += 1;
        request.resume();
        const handler = handlers.length > 1 ? handlers.shift() : handlers[0];
        request.once('end', () => handler?.(request, answer));
      }),
    );
    storage = open(whole);
  });

  /** @param patience milliseconds that one answer may take. */
  function open(patience: number): S3Storage {
    const config = parseS3Config(
      { ...s3Defaults, bucket: 'bbb', endpoint: server.url, region: 'eu-1', pathStyle: true, prefix: 'p' },
      'offsite',
    );
    const keys = { accessKeyId: 'k', secretAccessKey: 's' };
    return openS3Storage('offsite', config, keys, { timeouts: { whole: patience, stall: 5000 }, retry: { base: 1, cap: 2 } });
  }

  afterEach(async () => {
    await storage.close();
    await server[Symbol.asyncDispose]();
  });

  async function told(work: Promise<unknown>): Promise<string> {
    const error = await failure(work);
    if (!(error instanceof PgbackupError) || error.code !== 'storage') throw error;
    return `${error.message}\n${error.hint ?? ''}`;
  }

  it.each<[string, Handler, (of: S3Storage) => Promise<unknown>]>([
    ['a text', slowly, (of) => of.readText('k')],
    ['a listing', slowly, (of) => keysIn(of, '')],
    ['a deletion', slowly, (of) => of.delete('k')],
    ['a sweep', slowly, (of) => of.sweep('k')],
    ['the headers of a text', slowHeaders, (of) => of.readText('k')],
    [
      'a refusal',
      (request, answer) => {
        answer.statusCode = 403;
        slowly(request, answer);
      },
      (of) => of.readText('k'),
    ],
  ])('%s that drips is given up in time, after two attempts', async (_, handler, work) => {
    handlers = [handler];
    const begun = performance.now();
    expect(await told(work(storage))).toMatch(/the answer did not come whole within 0\.3 s \(time-out\)\n.*slow or overloaded/);
    expect(requests).toBe(2);
    expect(performance.now() - begun).toBeLessThan(10 * whole);
  });

  it('a look whose headers drip is given up, and so is a download before its first byte', async () => {
    handlers = [slowHeaders];
    expect(await told(storage.head('k'))).toMatch(/did not come whole within 0\.3 s/);
    requests = 0;
    expect(await told(storage.get('k'))).toMatch(/did not come whole within 0\.3 s/);
    expect(requests).toBe(6);
  });

  it('a text that drips once is asked for again', async () => {
    handlers = [slowly, (_, answer) => answer.end('text')];
    expect(await storage.readText('k')).toBe('text');
  });

  it('neither an upload nor a download that takes longer is cut', async () => {
    const late: Handler = (_, answer) => setTimeout(() => answer.setHeader('etag', '"x"').end(), 2 * whole);
    handlers = [late, (_, answer) => answer.setHeader('content-length', 4).end()];
    expect(await storage.put('k', chunksOf(Buffer.from('body')))).toEqual({ bytes: 4, confirmed: false });
    handlers = [
      (_, answer) => {
        answer.writeHead(200, { etag: '"x"', 'content-length': '8' }).write('some');
        setTimeout(() => answer.end('more'), 2 * whole);
      },
    ];
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await storage.get('k')) as AsyncIterable<Uint8Array>) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('somemore');
  });

  const megabytes: Handler = (_, answer) => {
    // Not from the callback itself: one that is called at once, of a connection that has ended, would let nothing else happen.
    const more = (): void => {
      if (!answer.destroyed) answer.write(Buffer.alloc(1024 * 1024, 'x'), (error) => !error && setImmediate(more));
    };
    more();
  };

  it('a listing that goes on and on is told as a fault of the storage, not as a bug', async () => {
    handlers = [megabytes];
    await storage.close();
    // However slow this machine is.
    storage = open(60_000);
    expect(await told(keysIn(storage, ''))).toMatch(
      /Cannot list .*the answer has more than 16777216 bytes: no storage answers so\n.*speaks S3/,
    );
    expect(await told(storage.readText('k'))).toMatch(/more than 16777216 bytes/);
    expect(requests).toBe(2);
  });

  it('a web server that says 200 to anything is no empty bucket', async () => {
    for (const body of ['<html><body>Welcome</body></html>', '']) {
      handlers = [(_, answer) => answer.end(body)];
      expect(await told(keysIn(storage, ''))).toMatch(
        /what answers does not speak S3: it holds no list of objects\nIs http:.*Check the endpoint/,
      );
    }
  });

  it('a list that does not say that it ends is not taken for whole', async () => {
    const one = '<Contents><Key>p/one</Key></Contents>';
    handlers = [page(`<IsTruncated>true</IsTruncated>${one}`)];
    expect(await told(keysIn(storage, ''))).toMatch(/its list of objects goes on, and it does not tell where/);
    handlers = [(_, answer) => answer.end(`<ListBucketResult>${one}</ListBucketResult>`)];
    expect(await told(keysIn(storage, ''))).toMatch(/does not tell whether it ends/);
    handlers = [(_, answer) => answer.end(`<ListBucketResult><IsTruncated>false</IsTruncated>${one}`)];
    expect(await told(keysIn(storage, ''))).toMatch(/it holds no list of objects/);
    const to = (token: string): Handler =>
      page(`<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>${one}`);
    handlers = [to('a'), to('b'), to('a'), to('b')];
    expect(await told(keysIn(storage, ''))).toMatch(/lists without an end/);
  });

  it.each([404, 501])('a server that knows no S3 is told as such (status %i)', async (status) => {
    handlers = [(_, answer) => answer.writeHead(status).end()];
    expect(await told(storage.put('k', chunksOf(Buffer.from('body'))))).toMatch(
      /does not seem to speak S3: status \d+.*\n.*Check the endpoint/,
    );
  });

  it('a page that leads to itself ends a listing and a sweep', async () => {
    handlers = [page('<IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken>')];
    expect(await told(keysIn(storage, ''))).toMatch(/lists without an end/);
    handlers = [page('<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>')];
    expect(await told(storage.sweep(''))).toMatch(/lists without an end/);
    expect(requests).toBe(4);
  });

  it('a key in no coding is told as a fault of the storage', async () => {
    handlers = [page('<Contents><Key>p/%E0%A4%A</Key></Contents>')];
    expect(await told(keysIn(storage, ''))).toMatch(/lists a key in no URL coding/);
    handlers = [page('<Contents><Key>p/&#x110000;</Key></Contents>')];
    expect(await keysIn(storage, '')).toEqual(['&#x110000;']);
  });
});
