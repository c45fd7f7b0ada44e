// The test runners of others, in which the library is tried (`tests/package/runners.test.ts`). They are large, so they are no
// dependency of a clone: set-up for tests installs them into .cache/, and leaves them there until other versions are wanted.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import type { Missing } from '../setup.ts';
import { CACHE } from './needs.ts';

export const RUNNERS = { vitest: '5.1.1', jest: '30.5.2' } as const;
export type Runner = keyof typeof RUNNERS;

const FOLDER = join(CACHE, 'runners');
const INSTALL_MS = 300_000;

/** The folder of a runner's package, or undefined where that version is not installed. */
export function findRunner(name: Runner): string | undefined {
  const folder = join(FOLDER, 'node_modules', name);
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, 'utf8')).version === RUNNERS[name] ? folder : undefined;
}

/** Installs what is missing; gives what could not be. */
export function setUpRunners(say: (line: string) => void): Missing[] {
  const names = Object.keys(RUNNERS) as Runner[];
  if (names.every((name) => findRunner(name))) return [];
  const packages = names.map((name) => `${name}@${RUNNERS[name]}`);
  say(`installing ${packages.join(' and ')} into .cache (for tests only)`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--save-exact', '--no-audit', '--no-fund', '--loglevel=error', ...packages];
  const { stderr } = runNpm(args);
  return names
    .filter((name) => !findRunner(name))
    .map((name) => ({ name, advice: `${name} could not be installed: ${stderr.trim().split('\n')[0] ?? ''}` }));
}

/** The npm that runs this, else the one in PATH. */
function runNpm(args: readonly string[]): { readonly stderr: string } {
  const cli = process.env['npm_execpath'];
  const options = { cwd: FOLDER, encoding: 'utf8', timeout: INSTALL_MS } as const;
  return cli !== undefined && basename(cli) === 'npm-cli.js' && existsSync(cli)
    ? spawnSync(process.execPath, [cli, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
}
