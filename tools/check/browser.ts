// Proves that the engines need no machine: everything that tools/layers.ts does not excuse is bundled for a browser.

import { build } from 'esbuild';
import { TEST_FILE } from '../layers.ts';
import type { Problem } from './rules.ts';
import { placeOf } from './rules.ts';
import type { Source } from './sources.ts';

/** Bundles every engine file among `sources`, writing nothing. Gives what keeps one from running in a browser. */
export async function checkBrowserBuild(root: string, sources: readonly Source[]): Promise<Problem[]> {
  const entryPoints = sources.map((source) => source.path).filter(isEngine);
  if (entryPoints.length === 0) return [];
  const result = await build({
    absWorkingDir: root,
    entryPoints,
    bundle: true,
    write: false,
    outdir: 'browser',
    platform: 'browser',
    format: 'esm',
    target: 'esnext',
    logLevel: 'silent',
  }).catch((failure: { errors?: unknown }) => failure as { errors: EsbuildMessage[] });
  return (result.errors as EsbuildMessage[]).map((error) => ({
    path: error.location?.file ?? entryPoints[0] ?? '.',
    line: error.location?.line ?? 1,
    column: (error.location?.column ?? 0) + 1,
    rule: 'browser',
    message: error.text,
  }));
}

type EsbuildMessage = {
  readonly text: string;
  readonly location: { readonly file: string; readonly line: number; readonly column: number } | null;
};

function isEngine(path: string): boolean {
  const layer = placeOf(path)?.layer;
  if (layer === undefined || TEST_FILE.test(path) || path.endsWith('.mjs') || path.endsWith('.cjs')) return false;
  return layer.browser ?? (layer.host !== true && layer.program !== true);
}
