/** Servers of tests: on loopback alone, on a port that was free, gone with the test. */
import type { Server } from 'node:http';

export interface Listening extends AsyncDisposable {
  /** Like http://127.0.0.1:45678, without a slash at the end. */
  readonly url: string;
}

/** Starts a server that ends, also in the middle of its connections, when it is disposed of. */
export async function listen(server: Server): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('a server without an address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
