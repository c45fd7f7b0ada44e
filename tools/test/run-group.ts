// Runs one group of test files in a child and hands its results on.

import { spawn } from 'node:child_process';
import { join, relative } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Group } from './groups.ts';
import type { Failure, TestResult } from './results.ts';

const REPORTER = join(import.meta.dirname, 'reporter.ts');
/** How much longer than its limit a test may take to be ended by node:test, before the group counts as stuck. */
const GRACE_MS = 30_000;
/** How long tests may take to end when they are told to. */
const STOP_MS_MAX = 10_000;
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
    // In a process group of its own, so that what the tests have started can be ended with them.
    { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true },
  );
  const outputs = new Map<string, string>();
  const keep = (file: string, text: string) =>
    outputs.set(file, ((outputs.get(file) ?? '') + text).slice(-OUTPUT_CHARS_MAX));
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => keep('', text));
  }

  let last = 'before the first test';
  let failed = 0;
  let running = 0;
  let stuckMs = 0;
  let silence: NodeJS.Timeout | undefined;
  const watch = () => {
    clearTimeout(silence);
    const limitMs = running > 0 ? group.testMsMax + GRACE_MS : group.idleMsMax;
    silence = setTimeout(() => {
      stuckMs = limitMs;
      endGroup(child.pid, 'SIGKILL');
    }, limitMs);
  };
  watch();
  const stop = () => {
    endGroup(child.pid, 'SIGTERM');
    clearTimeout(silence);
    silence = setTimeout(() => endGroup(child.pid, 'SIGKILL'), STOP_MS_MAX);
  };
  signal?.addEventListener('abort', stop);

  const lines = createInterface({ input: child.stdio[3] as Readable });
  const read = (async () => {
    for await (const line of lines) {
      const result = JSON.parse(line) as TestResult;
      if (result.kind === 'output') {
        keep(result.file, result.text);
      } else if (result.kind === 'started' || result.kind === 'ended') {
        running += result.kind === 'started' ? 1 : -1;
        last = `${result.kind === 'started' ? 'in' : 'after'} "${result.name}" (${relative(root, result.file)})`;
      } else {
        if (result.kind === 'failed') failed += 1;
        onResult(fromRoot(root, withOutput(result, outputs)));
      }
      if (signal?.aborted !== true) watch();
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
  if (stuckMs > 0) {
    const text = `nothing happened for ${stuckMs / 1000} s ${last}: something is still open`;
    return [{ title: `${group.name} did not end`, text: `${text}\n${shown}` }];
  }
  if (code === 0 || (failed > 0 && code === 1)) return [];
  return [{ title: `${group.name} ended with ${killedBy ?? `code ${code}`}`, text: `${last}\n${shown}` }];
}

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // else it has ended just now
  }
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
