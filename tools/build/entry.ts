// entry/index.mjs: the library as an ES module, with a name for each export.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export function entryFile(root: string): string {
  return join(root, 'entry/index.mjs');
}

/** What the file must hold for the library as its source is now. */
export async function entryText(root: string): Promise<string> {
  const library = (await import(pathToFileURL(join(root, 'index.ts')).href)) as Record<string, unknown>;
  const names = Object.keys(library).sort();
  return `// Written by \`npm run build\`: \`import … from 'tutti'\`. In a clone this is the source itself, which Node runs directly;
// in the published package, where there is none, the bundle.

import { existsSync } from 'node:fs';
import { complaint } from './version.cjs';

if (complaint !== undefined) throw new Error(complaint);
const source = new URL('../index.ts', import.meta.url);
const library = existsSync(source) ? await import(source.href) : await import('../dist/index.mjs');

export const {
${names.map((name) => `  ${name},\n`).join('')}} = library;
`;
}
