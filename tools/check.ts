// `npm run check [path ...]`: everything that can be known about the tree without running it.
//
//   types      tsc
//   lint       biome: rules, format, order of imports
//   layers     who imports what, forbidden globals, state of modules, length, nothing unfinished (tools/layers.ts)
//   browser    the engines, bundled for a browser
//   generated  `npm run generate -- --check`: generated files are what the generator makes
//   entry      entry/index.mjs names every export of the library
//
// With paths, only what is wrong under them is shown and counted: of use while others edit the same tree. The exit
// code is 1 where anything was wrong.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { entryFile, entryText } from './build/entry.ts';
import { checkBrowserBuild } from './check/browser.ts';
import { checkSource, type Problem } from './check/rules.ts';
import { listSources, type Source } from './check/sources.ts';

const root = join(import.meta.dirname, '..');

/** What one step found: lines for a person, none where all is well. */
type Step = {
  readonly name: string;
  readonly run: (sources: readonly Source[], paths: readonly string[]) => Promise<string[]>;
};

const STEPS: readonly Step[] = [
  {
    name: 'types',
    run: (_, paths) => output(['node_modules/typescript/bin/tsc', '--noEmit', '--pretty', 'false'], paths),
  },
  { name: 'lint', run: lint },
  { name: 'layers', run: async (sources, paths) => sources.flatMap(checkSource).map(lineOf).filter(under(paths)) },
  {
    name: 'browser',
    run: async (sources, paths) => (await checkBrowserBuild(root, sources)).map(lineOf).filter(under(paths)),
  },
  { name: 'generated', run: generated },
  { name: 'entry', run: entry },
];

async function lint(_: readonly Source[], paths: readonly string[]): Promise<string[]> {
  const biome = ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '--reporter=concise'];
  const lines = await output([...biome, '--max-diagnostics=200', ...paths], []);
  const found = lines.filter((line) => /^[×!] /.test(line)).map((line) => line.slice(2));
  return found.length > 0 ? found : lines;
}

async function generated(_: readonly Source[], paths: readonly string[]): Promise<string[]> {
  if (paths.length > 0 || !existsSync(join(root, 'tools/generate.ts'))) return [];
  return output(['tools/generate.ts', '--check'], []);
}

async function entry(): Promise<string[]> {
  const isRight = readFileSync(entryFile(root), 'utf8') === (await entryText(root));
  return isRight ? [] : ['entry/index.mjs: entry: the exports of index.ts have changed: npm run format'];
}

/** The lines that a Node program prints where it fails; those that name a file are kept only where it is under `paths`. */
function output(command: readonly string[], paths: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (part: string) => {
        text += part;
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve([]);
      const lines = text.split('\n').filter((line) => line.trim() !== '');
      resolve(lines.length > 0 ? lines.filter(under(paths)) : [`${command[0]} ended with ${signal ?? `code ${code}`}`]);
    });
  });
}

function under(paths: readonly string[]): (line: string) => boolean {
  const folders = paths.map((path) => path.replace(/^\.\//, '').replace(/\/$/, ''));
  return (line) => folders.length === 0 || folders.some((folder) => line.startsWith(folder));
}

function lineOf(problem: Problem): string {
  return `${problem.path}:${problem.line}:${problem.column} ${problem.rule}: ${problem.message}`;
}

/** Runs every step side by side. `lines` are what a step found, `ms` when it was done, both for a person. */
export async function runChecks(paths: readonly string[]): Promise<{ name: string; lines: string[]; ms: number }[]> {
  const sources = listSources(root);
  const startedMs = performance.now();
  return Promise.all(
    STEPS.map(async (step) => {
      const lines = await step.run(sources, paths).catch((error: unknown) => [String(error)]);
      return { name: step.name, lines, ms: performance.now() - startedMs };
    }),
  );
}

async function main(paths: readonly string[]): Promise<number> {
  const results = await runChecks(paths);
  for (const { name, lines, ms } of results) {
    process.stdout.write(`${lines.length === 0 ? 'ok  ' : 'FAIL'} ${name} (${(ms / 1000).toFixed(1)} s)\n`);
    for (const line of lines) process.stdout.write(`     ${line}\n`);
  }
  return results.every((result) => result.lines.length === 0) ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main(process.argv.slice(2));
