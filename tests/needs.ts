// What a test needs from the machine, as a reason to skip it by name where that is missing:
//
//   test('a pod starts', { skip: needs('root', 'containerd') }, async () => { … });
//
// Under CI=true such a skip is a failure (tools/test.ts), except for the reference data, which is no part of the project.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { findCommand, NODE_NEEDS, TEST_NEEDS } from '../tools/setup/needs.ts';
import { findRunner } from '../tools/setup/runners.ts';
import { findTestTool } from '../tools/setup.ts';

export type TestNeed =
  | 'linux'
  | 'root'
  | 'containerd'
  | 'etcd'
  | 'kubectl'
  | 'chromium'
  | 'python3-kubernetes'
  | 'vitest'
  | 'jest'
  | 'reference';

/** The folder of recorded facts about upstream, beside the project unless TUTTI_REFERENCE says where. */
export const REFERENCE = process.env['TUTTI_REFERENCE'] ?? join(import.meta.dirname, '../../shared/reference');

/** False where all is there; else why the test is skipped: "needs root, etcd". */
export function needs(...names: readonly TestNeed[]): string | false {
  const missing = names.filter((name) => !isHere(name));
  return missing.length === 0 ? false : `needs ${missing.join(', ')}`;
}

/** The path of a program that a test runs; for use in tests that `needs` it. Throws an Error where there is none. */
export function testTool(name: 'etcd' | 'kubectl' | 'chromium'): string {
  const path = findTestTool(name);
  if (path === undefined) throw new Error(`${name} is missing: npm run setup`);
  return path;
}

function isHere(name: TestNeed): boolean {
  switch (name) {
    case 'linux':
      return process.platform === 'linux';
    case 'root':
      return process.platform === 'linux' && process.getuid?.() === 0;
    case 'containerd':
      return process.platform === 'linux' && NODE_NEEDS.every((need) => need.optional || need.isPresent());
    case 'etcd':
    case 'kubectl':
      return findTestTool(name) !== undefined;
    case 'chromium':
      return findCommand('chromium') !== undefined;
    case 'python3-kubernetes':
      return TEST_NEEDS.every((need) => need.isPresent());
    case 'vitest':
    case 'jest':
      return findRunner(name) !== undefined;
    case 'reference':
      return existsSync(REFERENCE);
  }
}
