import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turn } from '../../../libs/base/node/turn.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import { ChunkHorizon } from './chunk-horizon.ts';

test('a state can be gone on with for five minutes after it is past', async () => {
  const clock = new VirtualClock({ turn });
  const horizon = new ChunkHorizon(clock);
  const isOver = (revision: number, present: number) => {
    horizon.note(present);
    return horizon.isOver(revision);
  };
  const minutes = (count: number) => clock.advance(count * 60_000);
  assert.equal(isOver(7, 7), false, 'the present');
  await minutes(60);
  assert.equal(isOver(7, 7), false, 'still the present');
  await minutes(1);
  assert.equal(isOver(7, 8), false, 'just past');
  await minutes(4);
  assert.equal(isOver(7, 9), false);
  await minutes(1);
  assert.equal(isOver(7, 9), true);
  assert.equal(isOver(8, 9), false);
  await minutes(5);
  assert.equal(isOver(8, 9), true);
  assert.equal(isOver(9, 9), false);
});
