// A mirror of Node's downloads on loopback. The first part of a path says how it behaves:
//   /good/…  the file        /short/…  half the file, announced as whole
//   /cut/…   half the file, then the connection drops        /slow/…  half the file, then nothing
//   /late/…  half the file, and the rest a second later
// Usage: node mirror.mjs <directory> <file for the port> <file for the requests>
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';

const [directory, portFile, requests] = process.argv.slice(2);

const server = createServer((request, response) => {
  appendFileSync(requests, `${request.url}\n`);
  const [, manner, version, name] = request.url.split('/');
  const file = join(directory, basename(name ?? ''));
  if (version !== 'v24.19.0' || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  const whole = readFileSync(file);
  const half = whole.subarray(0, whole.length / 2);
  if (manner === 'good' || manner === 'short') {
    const body = manner === 'good' ? whole : half;
    response.writeHead(200, { 'content-length': body.length }).end(body);
  } else {
    response.writeHead(200, { 'content-length': whole.length });
    response.write(half, () => manner === 'cut' && response.destroy());
    if (manner === 'late') setTimeout(() => response.end(whole.subarray(half.length)), 1000);
  }
});

server.listen(0, '127.0.0.1', () => {
  writeFileSync(`${portFile}.new`, String(server.address().port));
  renameSync(`${portFile}.new`, portFile);
});
