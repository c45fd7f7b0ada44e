// `npm run format [path ...]`: formats, orders imports and mends what biome can mend safely.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';

const biome = ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', ...process.argv.slice(2)];
process.exitCode =
  spawnSync(process.execPath, biome, { cwd: join(import.meta.dirname, '..'), stdio: 'inherit' }).status ?? 1;
