// The process of one benchmark: runs the file it is given and sends each figure to its parent.

import process from 'node:process';
import { pathToFileURL } from 'node:url';
import type { Benchmark } from './figure.ts';

const [file] = process.argv.slice(2);
const { bench } = (await import(pathToFileURL(file as string).href)) as Partial<Benchmark>;
if (bench === undefined) throw new Error(`${file} exports no bench(report): see tools/bench/figure.ts`);
await bench((figure) => process.send?.(figure));
process.disconnect?.();
