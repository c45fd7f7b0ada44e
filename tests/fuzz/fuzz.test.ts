// Requests made from the schema, wrong in every way: no answer may be a crash, a hang, or a 500 that upstream has not.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeFailure, fuzz } from './run.ts';
import { fuzzWire } from './wire.ts';

const COUNT = Number(process.env['TUTTI_FUZZ_COUNT'] ?? 20_000);
const SEED = process.env['TUTTI_FUZZ_SEED'] ?? 'steady';
const MIB = 2 ** 20;
/** What servers that are gone may leave behind: caches of the engine's code, not of requests. */
const GROWTH_BYTES_MAX = 96 * MIB;

/** What is still held once everything has been let go of. */
function heldBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

describe('requests made from the schema', () => {
  it(`${COUNT} of them from seed ${SEED} are answered as they should be`, { timeout: 240_000 }, async () => {
    let first = 0;
    let last = 0;
    const failure = await fuzz(SEED, COUNT, (asked) => {
      if (asked <= 2000) first = heldBytes();
      last = heldBytes();
    });
    if (failure) assert.fail(describeFailure(failure));
    if (globalThis.gc) assert.ok(last - first < GROWTH_BYTES_MAX, `memory grew by ${(last - first) / MIB} MiB`);
  });

  it('a slice of them is answered the same over TLS', { timeout: 120_000 }, async () => {
    const { problem, asked } = await fuzzWire(`${SEED}/wire`, Math.min(500, COUNT));
    assert.equal(problem, undefined);
    assert.equal(asked, Math.min(500, COUNT));
  });
});
