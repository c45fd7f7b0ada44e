// Which files the checks look at, and what kind each is.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One file of the tree: `path` is relative to the root, with `/`. */
export type Source = { readonly path: string; readonly text: string };

/** The TypeScript and JavaScript files that git knows or would add, without ignored ones. */
export function listSources(root: string): Source[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return listed
    .split('\0')
    .filter((path) => /\.(?:ts|tsx|mjs|cjs)$/.test(path) && existsSync(join(root, path)))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

export function isGenerated(path: string): boolean {
  return /\.generated\.(?:ts|mjs)$/.test(path);
}
