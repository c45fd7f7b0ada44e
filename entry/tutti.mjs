#!/usr/bin/env node
// The `tutti` command: in a clone the source, in the published package the bundle.

import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import process from 'node:process';
import version from './version.cjs';

if (version.complaint !== undefined) {
  process.stderr.write(`${version.complaint}\n`);
  process.exit(1);
}
nodeModule.enableCompileCache();
const source = new URL('../bin/tutti.ts', import.meta.url);
const bundle = new URL('../dist/bin/tutti.mjs', import.meta.url);
const isClone = existsSync(source);
if (isClone) await import(new URL('../tools/source-modules.mjs', import.meta.url).href);
await import((isClone ? source : bundle).href);
