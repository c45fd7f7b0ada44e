// `npm run bench [-- name ... --write]`: measures, and prints the figures with the machine they come from.
//
// Names choose files of bench/ by a part of their name; without one, all run, one after the other. --write also puts the
// figures into docs/performance.md. The exit code is 1 where a benchmark failed; a figure that misses what it must reach
// is marked.

import { fork } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type Figure, terminalTable, withFigures } from './bench/figure.ts';

const root = join(import.meta.dirname, '..');

/** `2 × Some CPU, 24 GiB, Linux 6.18, Node 26.10.0` */
function describeMachine(): string {
  const all = cpus();
  const model = all[0]?.model.replaceAll(/\s+/g, ' ').trim() ?? 'unknown CPU';
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const system = `${type()} ${release().split('.', 2).join('.')}`;
  return `${all.length} × ${model}, ${memory}, ${system}, Node ${process.versions.node}`;
}

async function runOne(file: string): Promise<{ figures: Figure[]; ok: boolean }> {
  const figures: Figure[] = [];
  const child = fork(join(import.meta.dirname, 'bench/run-one.ts'), [file], { execArgv: ['--expose-gc'], cwd: root });
  child.on('message', (figure) => figures.push(figure as Figure));
  const ok = await new Promise<boolean>((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
  return { figures, ok };
}

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((one) => !one.startsWith('--'));
  const unknown = args.find((one) => one.startsWith('--') && one !== '--write');
  if (unknown !== undefined) {
    process.stderr.write(`bench: there is no option ${unknown}, only --write\n`);
    return 2;
  }
  const folder = join(root, 'bench');
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.bench.ts'))
    .sort();
  const chosen = files.filter((file) => names.length === 0 || names.some((name) => file.includes(name)));
  if (chosen.length === 0) {
    process.stderr.write(
      `bench: no benchmark is named so; there are ${files.map((file) => file.replace('.bench.ts', '')).join(', ')}\n`,
    );
    return 2;
  }
  const figures: Figure[] = [];
  const failed: string[] = [];
  for (const file of chosen) {
    process.stdout.write(`${file} …\n`);
    const result = await runOne(join(folder, file));
    figures.push(...result.figures);
    if (!result.ok) failed.push(file);
  }
  const machine = describeMachine();
  process.stdout.write(`\n${machine}\n\n${terminalTable(figures)}\n`);
  for (const file of failed) process.stdout.write(`\n${file} failed: what it said is above\n`);
  if (args.includes('--write')) {
    const path = join(root, 'docs/performance.md');
    writeFileSync(path, withFigures(readFileSync(path, 'utf8'), machine, figures));
  }
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
