// Requests made from the schema, wrong in every way: no answer may be a crash, a hang, or a 500 that upstream has not.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describeFailure, fuzz } from './run.ts';
import { fuzzWire } from './wire.ts';

const COUNT = Number(process.env['TUTTI_FUZZ_COUNT'] ?? 20_000);
const SEED = process.env['TUTTI_FUZZ_SEED'] ?? 'steady';
const MIB = 2 ** 20;
/** What servers that are gone may leave behind: caches of the engine's code, not of requests. */
const GROWTH_BYTES_MAX = 96 * MIB;

/** By then the engine's code has been made, and the schema's tables. */
const WARM = Math.min(2000, COUNT);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What is still held once everything has been let go of. */
function heldBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

describe('requests made from the schema', () => {
  it(`${COUNT} of them from seed ${SEED} are answered as they should be`, { timeout: 240_000 }, async () => {
    let first = 0;
    let last = 0;
    const failure = await fuzz(SEED, COUNT, (asked) => {
      if (asked <= WARM) first = heldBytes();
      if (asked >= COUNT) last = heldBytes();
    });
    if (failure) assert.fail(describeFailure(failure));
    assert.ok(first > 0 && last > 0, 'memory was looked at');
    assert.ok(last - first < GROWTH_BYTES_MAX, `memory grew by ${(last - first) / MIB} MiB`);
  });

  it('a slice of them is answered the same over TLS', { timeout: 120_000 }, async () => {
    const { problem, asked } = await fuzzWire(`${SEED}/wire`, Math.min(500, COUNT));
    assert.equal(problem, undefined);
    assert.equal(asked, Math.min(500, COUNT));
  });
});
