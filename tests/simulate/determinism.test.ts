import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('print-history.ts', import.meta.url));

async function histories(seed: string, runs: number): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, seed, String(runs)]);
  return stdout.trimEnd().split('\n');
}

test('one seed has one history in two processes, faults included; another seed another', async () => {
  const [one, same, other] = await Promise.all([histories('a', 6), histories('a', 6), histories('b', 6)]);
  assert.deepEqual(same, one);
  assert.equal(new Set([...(one ?? []), ...(other ?? [])]).size, 12);
});
