// The rules of tools/layers.ts, applied to what a walk found in a file.

import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import {
  FILE_LINES_MAX,
  LAYERS,
  type Layer,
  NODE_TYPES,
  PURE_MEMOS,
  PURE_PACKAGES,
  TEST_FILE,
  TEST_IMPORTS,
} from '../layers.ts';
import { isGenerated, type Source } from './sources.ts';
import { positionOf } from './syntax.ts';
import { type Import, type WalkResult, walkSource } from './walk.ts';

/** One thing to mend. `line` and `column` count from 1. */
export type Problem = {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly rule: string;
  readonly message: string;
};

/** The layer of a file: its row, and the folder that the row's pattern matched (`api/apps/deployment`). */
export type Place = { readonly layer: Layer; readonly folder: string };

const BUILTINS: ReadonlySet<string> = new Set(builtinModules);
/** Written in two halves, so that this file passes its own check. */
const UNFINISHED = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b|not ${'implemented'}`);

/** All that is wrong with one file, by its text alone. */
export function checkSource(source: Source): Problem[] {
  const { path, text } = source;
  const problems: Problem[] = [];
  const report = (offset: number, rule: string, message: string) =>
    problems.push({ path, ...positionOf(text, offset), rule, message });

  if (!isGenerated(path)) {
    const lines = text.split('\n').length - 1;
    if (lines > FILE_LINES_MAX)
      report(0, 'length', `${lines} lines, of at most ${FILE_LINES_MAX}: split it by subject`);
    const unfinished = UNFINISHED.exec(text);
    if (unfinished !== null) report(unfinished.index, 'unfinished', `"${unfinished[0]}": finish it, or leave it out`);
  }
  const place = placeOf(path);
  if (place === undefined) {
    report(0, 'layer', 'no row of tools/layers.ts names this folder: add one');
    return problems;
  }
  const isTest = TEST_FILE.test(path);
  const isProgram = place.layer.program === true || isTest;
  let walked: WalkResult;
  try {
    walked = walkSource(path, text);
  } catch (error) {
    report(0, 'syntax', (error as Error).message);
    return problems;
  }
  for (const used of walked.imports) {
    const message = checkImport(path, place, used, isTest);
    if (message !== undefined) report(used.offset, 'import', message);
  }
  for (const finding of walked.findings) {
    if (finding.rule === 'module-state' && PURE_MEMOS.includes(path)) continue;
    if (isProgram || (finding.rule === 'global' && place.layer.host === true)) continue;
    report(finding.offset, finding.rule, finding.message);
  }
  return problems;
}

/** The row that rules a file: the one whose pattern has most folders and, of these, fewest `*`. */
export function placeOf(path: string): Place | undefined {
  const folders = path.split('/').slice(0, -1);
  let best: Layer | undefined;
  for (const layer of LAYERS) {
    const pattern = patternOf(layer.folder);
    if (!startsWith(folders, pattern)) continue;
    if (best === undefined || weightOf(layer.folder) > weightOf(best.folder)) best = layer;
  }
  if (best === undefined || (best.folder === '.' && folders.length > 0)) return undefined;
  return { layer: best, folder: folders.slice(0, patternOf(best.folder).length).join('/') };
}

function patternOf(folder: string): string[] {
  return folder === '.' ? [] : folder.split('/');
}

function weightOf(folder: string): number {
  const pattern = patternOf(folder);
  return pattern.length * 100 - pattern.filter((one) => one === '*').length;
}

function startsWith(folders: readonly string[], pattern: readonly string[]): boolean {
  return pattern.length <= folders.length && pattern.every((one, index) => one === '*' || one === folders[index]);
}

function matches(folder: string, pattern: string): boolean {
  const folders = patternOf(folder === '' ? '.' : folder);
  return folders.length === patternOf(pattern).length && startsWith(folders, patternOf(pattern));
}

/** What is wrong with an import, or undefined. */
function checkImport(path: string, place: Place, used: Import, isTest: boolean): string | undefined {
  const { specifier } = used;
  const { layer } = place;
  const hasHost = layer.host === true || layer.program === true || isTest;
  if (specifier === undefined) return hasHost ? undefined : 'the module is chosen when the program runs: name it';
  if (specifier.startsWith('.')) {
    const target = posix.normalize(posix.join(posix.dirname(path), specifier));
    if (target.startsWith('..')) return `"${specifier}" leaves the tree`;
    return checkTarget(place, target, isTest);
  }
  if (specifier.startsWith('node:') || BUILTINS.has(specifier)) {
    if (hasHost || (used.typeOnly && NODE_TYPES.includes(specifier))) return undefined;
    return `"${specifier}" reaches the machine: take what it does from libs/base`;
  }
  if (/^[/#]|^[a-z]+:/.test(specifier)) return `"${specifier}": import files by relative path and packages by name`;
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (isTest || layer.program || PURE_PACKAGES.includes(name) || layer.packages?.includes(name)) return undefined;
  return `package "${name}" is not among those that tools/layers.ts allows in ${layer.folder}`;
}

function checkTarget(place: Place, target: string, isTest: boolean): string | undefined {
  if (target === 'package.json' || (target.startsWith('dist/') && place.layer.program === true)) return undefined;
  if (!/\.(?:ts|tsx|mjs|cjs|json)$/.test(target)) return `"${target}" has no extension: Node needs it`;
  const other = placeOf(target);
  if (other === undefined) return `"${target}" is in no layer`;
  if (other.folder === place.folder) return undefined;
  const allowed = isTest ? [...place.layer.imports, ...TEST_IMPORTS] : place.layer.imports;
  if (allowed.some((pattern) => matches(other.folder, pattern))) return undefined;
  return `${place.folder || 'the root'} may not use ${other.folder || 'the root'} (tools/layers.ts)`;
}
