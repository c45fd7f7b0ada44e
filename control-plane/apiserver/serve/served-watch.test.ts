import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealClock } from '../../../libs/base/node/real-clock.ts';
import type { WatchFrame } from '../api.ts';
import { ServedWatch, WatchFlusher } from './served-watch.ts';

const frame: WatchFrame = { type: 'ADDED', bytes: () => new Uint8Array(100), value: () => ({}) };
const turn = () => new Promise((resolve) => setImmediate(resolve));
const microtasks = () => new Promise<void>((resolve) => process.nextTick(resolve));

/** Watches, and how often each was written to and how many frames it had then. */
function watching(count: number) {
  const flusher = new WatchFlusher(new RealClock());
  const written: number[] = [];
  const output = {
    write: (frames: readonly Uint8Array[]) => void written.push(frames.length),
    bufferedBytes: 0,
    onDrain: () => {},
    end: () => {},
  };
  const watches = Array.from({ length: count }, () => new ServedWatch(output, flusher, 1e6, () => {}));
  return { watches, written };
}

test('what a few watches are told at once is one write each, in the same turn', async () => {
  const { watches, written } = watching(3);
  for (const watch of [...watches, ...watches]) watch.event(frame);
  assert.deepEqual(written, []);
  await microtasks();
  assert.deepEqual(written, [2, 2, 2]);
});

test('many watches are written to when others have had their turn', async () => {
  const { watches, written } = watching(300);
  for (const watch of watches) watch.event(frame);
  await microtasks();
  assert.deepEqual(written, []);
  watches[0]?.gone();
  while (written.length < 299) await turn();
  await turn();
  assert.equal(written.length, 299, 'the one whose reader has gone is left out');
});
