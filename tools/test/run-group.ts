// Runs one group of test files in a child and hands its results on.

import { spawn } from 'node:child_process';
import { join, relative } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Group } from './groups.ts';
import type { Failure, TestResult } from './results.ts';

const REPORTER = join(import.meta.dirname, 'reporter.ts');
/** How long a group may show nothing beyond its longest test before it counts as stuck. */
const SILENCE_MS = 30_000;
const OUTPUT_CHARS_MAX = 6_000;

/**
 * Runs the group in `root` and calls `onResult` for each test, with the file's path from the root. Gives the failures that belong to no test: a process
 * that died, or did not end. Ends the child when `signal` is aborted.
 */
export async function runGroup(
  root: string,
  group: Group,
  onResult: (result: TestResult) => void,
  signal?: AbortSignal,
): Promise<Failure[]> {
  const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;
  const child = spawn(
    process.execPath,
    [
      '--test',
      `--test-isolation=${group.isolation}`,
      `--test-timeout=${group.testMsMax}`,
      ...(group.isolation === 'process' ? [`--test-concurrency=${group.concurrency}`] : []),
      `--test-reporter=${REPORTER}`,
      '--test-reporter-destination=stdout',
      ...group.files.map((file) => join(root, file)),
    ],
    { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] },
  );
  const outputs = new Map<string, string>();
  const keep = (file: string, text: string) =>
    outputs.set(file, ((outputs.get(file) ?? '') + text).slice(-OUTPUT_CHARS_MAX));
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => keep('', text));
  }

  let last = 'before the first test';
  let failed = 0;
  let stuck = false;
  const silence = setTimeout(() => {
    stuck = true;
    child.kill('SIGKILL');
  }, group.testMsMax + SILENCE_MS);
  const stop = () => child.kill('SIGTERM');
  signal?.addEventListener('abort', stop);

  const lines = createInterface({ input: child.stdio[3] as Readable });
  const read = (async () => {
    for await (const line of lines) {
      silence.refresh();
      const result = JSON.parse(line) as TestResult;
      if (result.kind === 'output') {
        keep(result.file, result.text);
      } else {
        last = `${result.kind === 'started' ? 'in' : 'after'} "${result.name}" (${relative(root, result.file)})`;
        if (result.kind === 'failed') failed += 1;
        onResult(fromRoot(root, withOutput(result, outputs)));
      }
    }
  })();
  const [code, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...ending) => resolve(ending));
  });
  await read;
  clearTimeout(silence);
  signal?.removeEventListener('abort', stop);

  const shown = outputs.get('') ?? '';
  if (stuck) {
    const text = `nothing happened for ${(group.testMsMax + SILENCE_MS) / 1000} s ${last}: something is still open`;
    return [{ title: `${group.name} did not end`, text: `${text}\n${shown}` }];
  }
  if (code === 0 || (failed > 0 && code === 1)) return [];
  return [{ title: `${group.name} ended with ${killedBy ?? `code ${code}`}`, text: `${last}\n${shown}` }];
}

/** A file that failed as a whole says why on its own output only. */
function withOutput(result: TestResult, outputs: ReadonlyMap<string, string>): TestResult {
  if (result.kind !== 'failed') return result;
  const output = outputs.get(result.file);
  return output === undefined
    ? result
    : { ...result, text: `${result.text}\n\noutput of the file:\n${output.trimEnd()}` };
}

/** node:test names a file that failed as a whole by its path: both become paths from the root. */
function fromRoot(root: string, result: TestResult): TestResult {
  if (result.kind === 'output') return result;
  const file = relative(root, result.file);
  return { ...result, file, name: result.name === result.file ? file : result.name };
}
