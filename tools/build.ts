// `npm run build`: makes dist/, which is what the published package holds besides entry/ (npm runs it before it packs).
//
//   dist/index.mjs, dist/index.cjs   the library: ESM and CommonJS, without its native dependencies
//   dist/bin/tutti.mjs               the command, in chunks that are loaded on demand
//   dist/types/                      declarations, by tsc
//   dist/THIRD-PARTY-LICENSES.txt    the licences of the packages that the bundles hold
//
// It also writes entry/index.mjs, which names each export of the library: an ES module must name what it exports, and
// this one hands on either the source or the bundle. `npm run check` tells when that file is out of date.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { bundleCommand, bundleLibrary } from './build/bundle.ts';
import { entryFile, entryText } from './build/entry.ts';
import { licencesOf } from './build/licences.ts';
import { emitTypes } from './build/types.ts';

const root = join(import.meta.dirname, '..');

async function main(): Promise<void> {
  const startedMs = performance.now();
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  writeFileSync(entryFile(root), await entryText(root));
  const [bundled] = await Promise.all([
    Promise.all([bundleLibrary(root, 'esm'), bundleLibrary(root, 'cjs'), bundleCommand(root)]),
    emitTypes(root),
  ]);
  const inputs = new Set(bundled.flatMap((one) => one.inputs));
  writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), licencesOf(root, inputs));
  for (const { outputs } of bundled) {
    for (const { path, bytes } of outputs) process.stdout.write(`${path}  ${(bytes / 1024).toFixed(0)} KiB\n`);
  }
  process.stdout.write(`built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);
}

await main();
