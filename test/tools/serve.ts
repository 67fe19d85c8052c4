/**
 * A server of these tools as a process, for tests in bash. Its first line of output is its address, each further one a
 * request. It ends with SIGTERM, and after ten minutes whoever forgot it.
 * usage: serve.ts imds <key id> <secret>
 *        serve.ts proxy <server> [<request>=<fault as JSON>]…
 * A request is one of `asked`, or part:<n>, or a method and a pattern like GET:archive; beside the fault go skip and times.
 */
import { asked, openFaultProxy, type Fault, type Match, type Times } from './fault-proxy.ts';
import { openImds } from './imds.ts';

interface Served {
  readonly url: string;
  /** What was asked so far. */
  readonly lines: () => readonly string[];
}

async function serve([kind = '', first = '', ...more]: readonly string[]): Promise<Served> {
  if (kind === 'imds') {
    const imds = await openImds({ accessKeyId: first, secretAccessKey: more[0] ?? '' });
    return { url: imds.url, lines: () => imds.requests.map(({ method, path, status }) => `${method} ${path} ${status}`) };
  }
  if (kind !== 'proxy') throw new Error(`no server is called "${kind}"`);
  const proxy = await openFaultProxy(first);
  for (const rule of more) {
    const [name = '', json = ''] = rule.split(/=(.*)/s);
    // What a test of ours has typed.
    const { skip, times, ...fault } = JSON.parse(json) as Fault & Times;
    proxy.add(matchOf(name), fault, { ...(skip !== undefined && { skip }), ...(times !== undefined && { times }) });
  }
  return {
    url: proxy.url,
    lines: () => proxy.seen.map(({ method, url, range, fault }) => [method, url, range, fault].filter(Boolean).join(' ')),
  };
}

function matchOf(name: string): Match {
  const [, part] = /^part:(\d+)$/.exec(name) ?? [];
  if (part !== undefined) return asked.part(Number(part));
  const [, method, url] = /^([A-Z]+):(.+)$/.exec(name) ?? [];
  if (method !== undefined && url !== undefined) return { method, url: new RegExp(url) };
  const found = Object.entries(asked).find(([key]) => key === name)?.[1];
  if (found === undefined || typeof found === 'function') throw new Error(`no request is called "${name}"`);
  return found;
}

const { url, lines } = await serve(process.argv.slice(2));
console.log(url);
let told = 0;
setInterval(() => {
  const all = lines();
  for (const line of all.slice(told)) console.log(line);
  told = all.length;
}, 50);
setTimeout(() => {
  throw new Error('Nobody has stopped this server for ten minutes');
}, 600_000);
