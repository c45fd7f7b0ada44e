import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../libs/base/clock.ts';
import { RealClock } from '../../../libs/base/node/real-clock.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import { Turns } from './turns.ts';

/** Numbers of those that have begun, and a way to take more. */
function taking(clock: Clock = new RealClock()) {
  const turns = new Turns(clock);
  const begun: number[] = [];
  let taken = 0;
  const take = (count: number) => {
    for (let i = 0; i < count; i++) {
      const number = taken++;
      turns.take(() => begun.push(number));
    }
  };
  return { begun, take };
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test('a few requests begin at once', () => {
  const { begun, take } = taking();
  take(32);
  assert.equal(begun.length, 32);
});

test('a burst begins turn by turn, in its order, with what comes meanwhile at its end', async () => {
  const { begun, take } = taking();
  take(80);
  assert.equal(begun.length, 32);
  await turn();
  assert.equal(begun.length, 64);
  take(4);
  assert.equal(begun.length, 64, 'nobody overtakes');
  for (let i = 0; i < 3; i++) await turn();
  assert.deepEqual(begun, upTo(84));
  take(20);
  assert.deepEqual(begun, upTo(104), 'after the burst they begin at once again');
});

test('those that come by and by never wait', async () => {
  const { begun, take } = taking();
  for (let i = 0; i < 3; i++) {
    take(30);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(begun.length, 90);
});

test('the next burst waits as the first did', async () => {
  const { begun, take } = taking();
  take(40);
  for (let i = 0; i < 3; i++) await turn();
  take(40);
  assert.equal(begun.length, 72);
  for (let i = 0; i < 3; i++) await turn();
  take(32);
  await new Promise((resolve) => setTimeout(resolve, 10));
  take(40);
  assert.equal(begun.length, 144);
});

test('nobody waits for a clock that stands still', () => {
  const { begun, take } = taking(new VirtualClock({ turn }));
  take(100);
  assert.equal(begun.length, 100);
});
