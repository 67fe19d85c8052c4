// Makes dist/ from src/: the program in a few files that load only what a command needs, and the help texts.
// usage: node scripts/build.mjs [folder]   folder: where dist/ and docs/commands.md go instead of the repository
import { build } from 'esbuild';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { commandReference, helpFiles } from '../src/cli/help.ts';

const root = new URL('..', import.meta.url).pathname;
const out = resolve(process.argv[2] ?? root);
await rm(`${out}/dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: ['src/main.ts'],
  outdir: `${out}/dist`,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.15',
  // The CommonJS of a package that has both comes as a whole, used or not, and without names where it loads lazily.
  mainFields: ['module', 'main'],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'linked',
  // Some libraries are CommonJS inside and ask for require.
  banner: { js: "import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);" },
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
});
await mkdir(`${out}/docs`, { recursive: true });
await mkdir(`${out}/dist/help`, { recursive: true });
for (const [name, text] of Object.entries(helpFiles())) await writeFile(`${out}/dist/${name}`, text);
await writeFile(`${out}/docs/commands.md`, commandReference());
