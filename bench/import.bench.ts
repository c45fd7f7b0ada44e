// How long a program waits for `import … from 'tutti'`: the bundle and the sources, in a fresh process each time.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import type { Report } from '../tools/bench/figure.ts';

const RUNS = 15;
const root = join(import.meta.dirname, '..');

/** The median time of importing a module in a fresh process, in milliseconds, once the compile cache is warm. */
function importMs(path: string): number {
  const url = pathToFileURL(join(root, path)).href;
  const program = `const start = performance.now(); await import(${JSON.stringify(url)}); console.log(performance.now() - start)`;
  const times: number[] = [];
  for (let run = 0; run <= RUNS; run += 1) {
    const { stdout, status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    if (run > 0) times.push(Number(stdout)); // the first fills the cache
  }
  return times.sort((a, b) => a - b)[Math.floor(RUNS / 2)] as number;
}

export async function bench(report: Report): Promise<void> {
  const built = spawnSync(process.execPath, [join(root, 'tools/build.ts')], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);
  report({ name: 'import of the library, bundled', value: importMs('dist/index.mjs'), unit: 'ms', atMost: 120 });
  report({ name: 'import of the library, from source', value: importMs('index.ts'), unit: 'ms' });
}
