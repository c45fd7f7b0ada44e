import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turn } from '../base/node/turn.ts';
import { VirtualClock } from '../base/virtual-clock.ts';
import { WorkQueue } from './work-queue.ts';

/** A queue whose keys are taken as they come; gives when, in seconds. */
function taken(clock: VirtualClock) {
  const queue = new WorkQueue({ clock });
  const at: number[] = [];
  void queue.serve(1, async (key) => {
    at.push(clock.monotonic() / 1000);
    queue.done(key);
  });
  return { queue, at };
}

test('of several wishes for later the earliest counts', async () => {
  const clock = new VirtualClock({ turn });
  const { queue, at } = taken(clock);
  queue.addAfter('a', 30_000);
  queue.addAfter('a', 10_000);
  queue.addAfter('a', 20_000);
  await clock.advance(60_000);
  assert.deepEqual(at, [10]);
  queue.close();
});

test('a look that only makes sure answers no wish for a certain time, and the other way round', async () => {
  const clock = new VirtualClock({ turn });
  const { queue, at } = taken(clock);
  queue.addAfter('a', 10_000, 'check');
  queue.addAfter('a', 30_000);
  await clock.advance(60_000);
  assert.deepEqual(at, [10, 30]);
  queue.close();
});

test('a look that was passed over is set anew by the next wish for one', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  const { queue, at } = taken(clock);
  // Set while upkeep runs, so that nothing has happened since.
  clock.setTimer(() => queue.addAfter('a', 50_000, 'check'), 10_000, { upkeep: 'check' });
  clock.setTimer(() => queue.addAfter('a', 50_000, 'check'), 205_000);
  await clock.advance(300_000);
  assert.deepEqual(at, [255]);
  queue.close();
});
