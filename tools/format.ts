// `npm run format [path ...]`: formats, orders imports and mends what biome can mend safely; and brings
// entry/index.mjs up to date with the library's exports (tools/build/entry.ts).

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { entryFile, entryText } from './build/entry.ts';

const root = join(import.meta.dirname, '..');
const paths = process.argv.slice(2);
if (paths.length === 0) writeFileSync(entryFile(root), await entryText(root));
const biome = ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', '--max-diagnostics=50', ...paths];
process.exitCode = spawnSync(process.execPath, biome, { cwd: root, stdio: 'inherit' }).status ?? 1;
