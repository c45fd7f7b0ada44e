// The published package as its user has it: packed here, unpacked in an empty folder. Nothing is fetched: what the package
// depends on is linked from this clone.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';

const root = join(import.meta.dirname, '../..');
/** Generous: the machine may be busy. */
const RUN_MS = 300_000;

export interface Consumer extends Disposable {
  /** An empty project with the package in its node_modules. */
  readonly folder: string;
  /** Runs a command to its end and gives what it printed. Fails the test when it fails. */
  run(command: string, args: readonly string[], options?: { cwd?: string; env?: NodeJS.ProcessEnv }): string;
}

/** Packs the clone (which builds it) and installs it in an empty folder. */
export function packedConsumer(): Consumer {
  const work = mkdtempSync(join(tmpdir(), 'tutti-package-'));
  const folder = join(work, 'consumer');
  const installed = join(folder, 'node_modules/tutti');
  const run: Consumer['run'] = (command, args, { cwd = folder, env: more = {} } = {}) => {
    // What a test runner tells its own processes is none of theirs.
    const { NODE_TEST_CONTEXT: _, ...own } = process.env;
    const env = { ...own, PATH: `${dirname(process.execPath)}${delimiter}${own['PATH']}`, ...more };
    const result = spawnSync(command, args, {
      cwd,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_MS,
    });
    assert.equal(result.status, 0, `${command} ${args.join(' ')}\n${result.stdout}\n${result.stderr}`);
    return result.stdout.trim();
  };
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true }');
  run('npm', ['pack', '--silent', '--pack-destination', work], { cwd: root });
  const archive = readdirSync(work).find((name) => name.endsWith('.tgz'));
  assert.ok(archive, 'npm pack made no archive');
  run('tar', ['-xzf', join(work, archive), '-C', installed, '--strip-components=1']);
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  for (const name of Object.keys(dependencies)) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
  return { folder, run, [Symbol.dispose]: () => rmSync(work, { recursive: true, force: true }) };
}
