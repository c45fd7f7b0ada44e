// The licences of what a bundle holds: their texts must go where the code goes.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of the package that a file belongs to: `node_modules/@a/b/lib/c.js` → `node_modules/@a/b`. */
export function packageFolderOf(path: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
}

/** One text with name, version and licence of every package among `inputs` (paths from `root`). */
export function licencesOf(root: string, inputs: Iterable<string>): string {
  const folders = new Set<string>();
  for (const input of inputs) {
    const folder = packageFolderOf(input);
    if (folder !== undefined) folders.add(folder);
  }
  const texts = [...folders].sort().map((folder) => {
    const path = join(root, folder);
    const about = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<string, unknown>;
    const files = readdirSync(path).filter((name) => /^(?:licen[cs]e|notice)/i.test(name));
    const text = files.map((name) => readFileSync(join(path, name), 'utf8').trim()).join('\n\n');
    return `${about['name']} ${about['version']} (${about['license']})\n\n${text || 'No licence text is in the package.'}\n`;
  });
  const rule = `\n${'-'.repeat(80)}\n\n`;
  return `The bundles beside this file hold code of these packages.\n${rule}${texts.join(rule)}`;
}
