import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onAbort, unlessAborted } from './abort.ts';
import { AssertionError, assert as assertHolds, unreachable } from './assert.ts';
import { Backoff, backoffMs } from './backoff.ts';
import { createLogger, formatRecord, type LogRecord, silentLogger } from './log.ts';
import { realRandom } from './node/real-random.ts';
import { turn } from './node/turn.ts';
import { BoundedQueue, QueueFullError } from './queue.ts';
import { SeededRandom } from './random.ts';
import { VirtualClock } from './virtual-clock.ts';

test('assert throws what names a bug', () => {
  assertHolds(1, 'fine');
  assert.throws(() => assertHolds(0, 'zero'), { name: 'AssertionError', message: 'bug in tutti: zero' });
  assert.throws(() => unreachable('x' as never), AssertionError);
});

const GOLDEN_UUID = '45c24976-547f-4195-8d30-cf5d336a315e';

test('one seed, one sequence, on every platform', () => {
  const random = new SeededRandom(42);
  assert.deepEqual(
    Array.from({ length: 5 }, () => random.int(1000)),
    [272, 330, 114, 200, 63],
  );
  assert.equal(new SeededRandom('42').uuid(), GOLDEN_UUID);
  assert.notEqual(new SeededRandom(43).uuid(), GOLDEN_UUID);
});

test('forks depend on the seed and their name, not on what was drawn before', () => {
  const drawn = new SeededRandom(1);
  for (let i = 0; i < 100; i++) drawn.next();
  assert.equal(drawn.fork('a').uuid(), new SeededRandom(1).fork('a').uuid());
  const names = ['a', 'b', 'a/b', ''];
  const first = names.map((name) => new SeededRandom(1).fork(name).uuid());
  assert.equal(new Set(first).size, names.length);
  assert.notEqual(new SeededRandom(1).fork('a').fork('b').uuid(), new SeededRandom(1).fork('a/b').uuid());
  const many = new Set(Array.from({ length: 20_000 }, (_, i) => new SeededRandom(1).fork(`node-${i}`).uuid()));
  assert.equal(many.size, 20_000);
});

test('a restored state goes on where it was taken, and forks alike', () => {
  const random = new SeededRandom('x');
  for (let i = 0; i < 10; i++) random.next();
  const copy = new SeededRandom('x', random.state());
  assert.equal(copy.uuid(), random.uuid());
  assert.equal(copy.fork('y').next(), random.fork('y').next());
});

for (const [name, random] of [
  ['seeded', new SeededRandom(7)],
  ['real', realRandom],
] as const) {
  test(`${name} random stays in its ranges and covers them`, () => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const x = random.next();
      assert.ok(x >= 0 && x < 1);
      counts[random.int(10)]!++;
    }
    for (const count of counts) assert.ok(count > 800 && count < 1200, `${counts}`);
    assert.equal(random.int(1), 0);
    assert.equal(random.int(0), 0);
    assert.match(random.text(64, 'bc'), /^[bc]{64}$/);
    for (let i = 0; i < 50; i++) {
      assert.match(random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    assert.notEqual(random.fork('a').uuid(), random.fork('b').uuid());
  });
}

test('delays grow to their bound', () => {
  const backoff = new Backoff({ firstMs: 10, maxMs: 1000 });
  assert.deepEqual(
    Array.from({ length: 9 }, () => backoff.next()),
    [10, 20, 40, 80, 160, 320, 640, 1000, 1000],
  );
  assert.equal(backoff.failures, 9);
  backoff.reset();
  assert.equal(backoff.next(), 10);
  const table: [Parameters<typeof backoffMs>[0], number, number][] = [
    [{ firstMs: 10, maxMs: 1000 }, 5000, 1000],
    [{ firstMs: 0, maxMs: 1000 }, 5000, 0],
    [{ firstMs: 100, factor: 1, maxMs: 1000 }, 50, 100],
    [{ firstMs: 100, factor: 3, maxMs: 1000 }, 2, 900],
  ];
  for (const [options, failures, delay] of table) assert.equal(backoffMs(options, failures), delay);
});

test('jitter adds its share, from the random source that it must have', () => {
  const random = new SeededRandom(1);
  const delays = Array.from({ length: 200 }, () => backoffMs({ firstMs: 100, maxMs: 100, jitter: 0.1, random }, 3));
  for (const delay of delays) assert.ok(delay >= 100 && delay < 110);
  assert.ok(Math.max(...delays) > 108 && Math.min(...delays) < 102);
  assert.throws(() => backoffMs({ firstMs: 100, maxMs: 100, jitter: 0.1 }, 0), AssertionError);
});

test('a queue gives first in first out, up to its bound', async () => {
  const queue = new BoundedQueue<number>('numbers', 2);
  assert.ok(queue.offer(1));
  queue.put(2);
  assert.equal(queue.offer(3), false);
  assert.throws(() => queue.put(3), { name: 'QueueFullError', message: 'numbers is full (2)' });
  assert.throws(() => queue.put(3), QueueFullError);
  assert.equal(await queue.take(), 1);
  assert.equal(queue.length, 1);
  assert.ok(queue.offer(3));
  assert.deepEqual(queue.drain(), [2, 3]);
  assert.deepEqual(queue.drain(), []);
});

test('take waits, needs no room, and has one waiter', async () => {
  const queue = new BoundedQueue<number>('numbers', 1);
  const taken = queue.take();
  await assert.rejects(queue.take(), /one consumer/);
  assert.ok(queue.offer(1));
  assert.ok(queue.offer(2));
  assert.equal(queue.offer(3), false);
  assert.equal(await taken, 1);
  assert.equal(await queue.take(), 2);
});

test('a closed queue takes nothing, and gives what it has', async () => {
  const queue = new BoundedQueue<number>('numbers', 3);
  queue.put(1);
  queue.close();
  queue.close();
  assert.ok(queue.closed);
  assert.equal(queue.offer(2), false);
  assert.equal(await queue.take(), 1);
  assert.equal(await queue.take(), undefined);
  const waiting = new BoundedQueue<number>('more', 1);
  const taken = waiting.take();
  waiting.close();
  assert.equal(await taken, undefined);
  assert.throws(() => new BoundedQueue('none', 0), AssertionError);
});

test('a queue keeps its order and lets go of what was taken over many items', async () => {
  const queue = new BoundedQueue<number>('numbers', 100);
  let put = 0;
  let next = 0;
  for (let round = 0; round < 500; round++) {
    while (queue.length < 100 && put % 7 !== 6) queue.put(put++);
    put++;
    for (const item of queue.drain(1 + (round % 90))) {
      assert.ok(item >= next);
      next = item;
    }
  }
  assert.ok(next > 1000);
});

test('a log tells time, level, component, message and fields', () => {
  const clock = new VirtualClock({ startMs: Date.UTC(2026, 0, 1, 8, 0, 1, 250), turn });
  const records: LogRecord[] = [];
  const log = createLogger('kubelet', clock, (record) => records.push(record), 'info');
  log.debug('not told');
  log.info('pulled', { image: 'x:1' });
  log.child('prober', { pod: 'a' }).error('failed', { error: new Error('no route') });
  assert.deepEqual(records.map(formatRecord), [
    '08:00:01.250 INFO  kubelet    pulled image="x:1"',
    '08:00:01.250 ERROR prober     failed pod="a" error="no route"',
  ]);
  assert.equal(log.enabled('debug'), false);
  assert.equal(log.child('x').enabled('warn'), true);
  silentLogger.child('x').error('nothing');
  assert.equal(silentLogger.enabled('error'), false);
});

test('a log line never fails', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const fields = { cycle, big: 10n, inside: { big: 1n }, none: undefined, sym: Symbol('s'), text: 'a\nb' };
  const line = formatRecord({ timeMs: 0, level: 'warn', component: 'c', message: 'm', fields });
  assert.equal(
    line,
    '00:00:00.000 WARN  c          m cycle=[unprintable] big=10 inside=[unprintable] none=undefined sym=Symbol(s) text="a\\nb"',
  );
});

test('who follows a signal is told once, and not after they have stopped', () => {
  const controller = new AbortController();
  const told: string[] = [];
  const follow = (name: string) => onAbort(controller.signal, () => told.push(name));
  follow('a');
  const stop = follow('b');
  follow('c');
  stop();
  controller.abort();
  assert.deepEqual(told, ['a', 'c']);
});

test('work is waited for until a signal says that nobody does', async () => {
  const { signal } = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(unlessAborted(Promise.reject(new Error('failed')), signal), /failed/);
  const controller = new AbortController();
  const waiting = unlessAborted(new Promise(() => {}), controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(unlessAborted(Promise.resolve(1), controller.signal), /enough/);
});
