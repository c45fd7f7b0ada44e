import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SCENARIOS } from './scenarios.ts';
import { describeCounts, type Simulated } from './simulate.ts';

/** How many seeds `npm test` takes; `npm run simulate -- --seeds N` takes more. */
const SEEDS = 1_000;

const part = fileURLToPath(new URL('part.ts', import.meta.url));

/** Runs a part of the seeds in a process of its own, as one core each is what they need. */
function runPart(index: number, parts: number): Promise<Simulated & { readonly lines: readonly string[] }> {
  const { promise, resolve, reject } = Promise.withResolvers<Simulated & { readonly lines: readonly string[] }>();
  const args = [part, String(Math.ceil(SEEDS / parts)), `npm test ${index}`];
  execFile(process.execPath, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
    if (error) reject(new Error(stderr || error.message));
    else resolve(JSON.parse(stdout));
  });
  return promise;
}

test(`${SEEDS} seeds of ${SCENARIOS.length} scenarios under faults`, async (t) => {
  const parts = Math.max(1, Math.min(availableParallelism(), 8));
  const done = await Promise.all(Array.from({ length: parts }, (_, index) => runPart(index, parts)));
  const counts: Record<string, number> = {};
  let runs = 0;
  for (const one of done) {
    runs += one.runs;
    for (const line of one.lines) t.diagnostic(line);
    for (const [kind, count] of Object.entries(one.counts)) counts[kind] = (counts[kind] ?? 0) + count;
  }
  for (const line of describeCounts(counts).split('\n')) t.diagnostic(line);
  process.stdout.write(`${runs} seeds\n${describeCounts(counts)}\n`);
  assert.ok(runs >= SEEDS);
  // What never happens tests nothing.
  const { EXPLORED_FAULTS } = await import('../../testing/explore/fault-kinds.ts');
  assert.deepEqual(
    EXPLORED_FAULTS.filter((kind) => !counts[kind]),
    [],
    'each kind of fault happened',
  );
});
