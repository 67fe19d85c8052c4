// usage: node catalog-flaws.mjs <storage> <service>: prints a line for every backup that is listed and not whole,
// and for every file that belongs to no backup.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [storage, service] = process.argv.slice(2);
for (const host of existsSync(storage) ? readdirSync(storage) : []) {
  const folder = join(storage, host, service);
  for (const id of existsSync(folder) ? readdirSync(folder) : []) {
    const files = new Set(readdirSync(join(folder, id)));
    if (!files.delete('manifest.json')) {
      console.log(`no manifest: ${id} [${[...files].join(' ')}]`);
      continue;
    }
    const { archive } = JSON.parse(readFileSync(join(folder, id, 'manifest.json'), 'utf8'));
    if (!files.delete(archive.file)) console.log(`no archive: ${id}`);
    else {
      const bytes = readFileSync(join(folder, id, archive.file));
      if (createHash('sha256').update(bytes).digest('hex') !== archive.storedSha256) console.log(`not what was stored: ${id}`);
    }
    for (const file of files) console.log(`stray file: ${id}/${file}`);
  }
}
