import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../libs/base/random.ts';
import { Ranks } from './ranks.ts';

// As a look at all nodes would have it, through a history of changes.

const NODES = 200;

for (let seed = 1; seed <= 5; seed++) {
  test(`any of the best is chosen, in the order of the draw (seed ${seed})`, () => {
    const random = new SeededRandom(seed);
    const passes = new Uint8Array(NODES);
    const sums = new Float64Array(NODES);
    const ranks = new Ranks(passes, sums);
    assert.equal(ranks.count(), 0);
    for (let step = 0; step < 400; step++) {
      for (let changes = 1 + random.int(3); changes > 0; changes--) {
        const node = random.int(NODES);
        passes[node] = random.int(4) === 0 ? 0 : 1;
        sums[node] = random.int(6) - 2;
        ranks.touch(node);
      }
      const passing = Array.from(passes.keys()).filter((node) => passes[node] === 1);
      assert.equal(ranks.count(), passing.length);
      if (passing.length === 0) continue;
      const best = Math.max(...passing.map((node) => sums[node] as number));
      const tied = passing.filter((node) => sums[node] === best);
      const draw = random.fork(`draw ${step}`);
      const chosen = ranks.choose(random.fork(`draw ${step}`));
      assert.equal(chosen, tied[draw.int(tied.length)], `step ${step}`);
    }
  });
}
