import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../virtual-clock.ts';
import { giveMemoryBackAtRest, type Heap, ownHeap } from './memory-at-rest.ts';
import { turn } from './turn.ts';

const MB = 1024 * 1024;

/** A heap whose collections leave so many megabytes, one after the other. */
function heapOf(sizes: number[], state: { mb: number; usedMb: number; busy: number }) {
  let collections = 0;
  const heap: Heap = {
    get sizeBytes() {
      return state.mb * MB;
    },
    get usedBytes() {
      return state.usedMb * MB;
    },
    async collect() {
      collections++;
      state.mb = sizes.shift() ?? state.mb;
    },
    busy: () => state.busy,
  };
  return { heap, collections: () => collections };
}

test('what a burst has taken is given back at rest, as long as there is something to give', async () => {
  const clock = new VirtualClock({ turn, startMs: 0 });
  const state = { mb: 60, usedMb: 40, busy: 0 };
  const { heap, collections } = heapOf([110, 50], state);
  using _ = giveMemoryBackAtRest(clock, heap);
  await clock.advance(60_000);
  assert.equal(collections(), 0, 'what it takes to begin with is left alone');
  Object.assign(state, { mb: 140, busy: 0.5 });
  await clock.advance(60_000);
  assert.equal(collections(), 0, 'it works');
  state.busy = 0.01;
  await clock.advance(80_000);
  assert.equal(collections(), 3);
  state.mb = 99;
  await clock.advance(60_000);
  assert.equal(collections(), 3, 'it has not doubled since');
  state.mb = 100;
  await clock.advance(60_000);
  assert.equal(collections(), 4);
});

test('a small heap is left alone', async () => {
  const clock = new VirtualClock({ turn, startMs: 0 });
  const state = { mb: 30, usedMb: 20, busy: 0 };
  const { heap, collections } = heapOf([], state);
  using _ = giveMemoryBackAtRest(clock, heap);
  state.mb = 95;
  await clock.advance(60_000);
  assert.equal(collections(), 0);
  state.mb = 96;
  await clock.advance(60_000);
  assert.equal(collections(), 1);
});

test('a heap that would take long is left alone, and nothing is looked at after the end', async () => {
  const clock = new VirtualClock({ turn, startMs: 0 });
  const state = { mb: 60, usedMb: 300, busy: 0 };
  const { heap, collections } = heapOf([], state);
  const rest = giveMemoryBackAtRest(clock, heap);
  await clock.advance(60_000);
  state.mb = 900;
  await clock.advance(60_000);
  assert.equal(collections(), 0);
  rest[Symbol.dispose]();
  state.usedMb = 100;
  await clock.advance(60_000);
  assert.equal(collections(), 0);
});

test('the own heap shrinks when what filled it is gone', async () => {
  const heap = ownHeap();
  const much: object[] = [];
  for (let i = 0; i < 600_000; i++) much.push({ i, text: `${i}` });
  const { sizeBytes, usedBytes } = heap;
  much.length = 0;
  for (let i = 0; i < 3; i++) await heap.collect();
  assert.ok(usedBytes - heap.usedBytes > 20 * MB, `${usedBytes} before, ${heap.usedBytes} after`);
  assert.ok(heap.sizeBytes < sizeBytes, `${sizeBytes} before, ${heap.sizeBytes} after`);
  assert.ok(heap.busy() > 0);
  assert.equal(typeof globalThis.gc, 'undefined', 'nobody else is given it');
});
