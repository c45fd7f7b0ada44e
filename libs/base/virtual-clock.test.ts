import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from './assert.ts';
import { Deadline, formatMicroTime, formatTime, TimeoutError, type Timer, withTimeout } from './clock.ts';
import { turn } from './node/turn.ts';
import { EndlessInstantError, VirtualClock } from './virtual-clock.ts';

const start = Date.UTC(2026, 0, 31, 8);
const newClock = (timersPerInstantMax?: number) => new VirtualClock({ startMs: start, turn, timersPerInstantMax });

test('yields that are asked for at one time are one timer, after all that was ready', async () => {
  const clock = new VirtualClock({ turn });
  const log: string[] = [];
  const yielding = async (name: string) => {
    await clock.yield();
    log.push(name);
  };
  void yielding('a');
  void yielding('b');
  assert.equal(clock.pending, 1);
  void Promise.resolve().then(() => log.push('ready'));
  await clock.advance(0);
  assert.deepEqual(log, ['ready', 'a', 'b']);
  void yielding('c');
  assert.equal(clock.pending, 1);
  await clock.advance(0);
  assert.deepEqual(log, ['ready', 'a', 'b', 'c']);
});

test('timers run by instant, then by the order in which they were set', async () => {
  const clock = newClock();
  const seen: string[] = [];
  const say = (what: string) => () => seen.push(`${what}@${clock.monotonic()}`);
  clock.setTimer(say('c'), 20);
  clock.setTimer(say('a'), 10);
  clock.setTimer(say('b'), 10);
  clock.setTimer(say('now'), 0);
  clock.setTimer(say('past'), -5);
  clock.setTimer(say('later'), 21);
  assert.equal(await clock.advance(20), true);
  assert.deepEqual(seen, ['now@0', 'past@0', 'a@10', 'b@10', 'c@20']);
  assert.equal(clock.now(), start + 20);
  assert.equal(clock.pending, 1);
  assert.equal(clock.next(), 21);
});

test('the order holds for many timers, also when most are cancelled', async () => {
  const clock = newClock();
  const seen: number[] = [];
  const delays = Array.from({ length: 3000 }, (_, i) => (i * 7919) % 997);
  const timers = delays.map((delay, i) => clock.setTimer(() => seen.push(i), delay));
  const kept = delays.map((_, i) => i).filter((i) => i % 5 === 0);
  timers.forEach((timer, i) => i % 5 !== 0 && timer.cancel());
  assert.equal(clock.pending, kept.length);
  await clock.advance(1000);
  assert.deepEqual(
    seen,
    kept.sort((a, b) => delays[a]! - delays[b]! || a - b),
  );
  assert.equal(clock.pending, 0);
});

test('a timer that was cancelled, also by another of the same instant, does not run', async () => {
  const clock = newClock();
  const seen: string[] = [];
  let b: Timer | undefined;
  clock.setTimer(() => {
    seen.push('a');
    b?.cancel();
  }, 5);
  b = clock.setTimer(() => seen.push('b'), 5);
  const own = clock.setTimer(() => {
    seen.push('c');
    own.cancel();
    own.cancel();
  }, 5);
  await clock.advance(5);
  assert.deepEqual(seen, ['a', 'c']);
  assert.equal(clock.pending, 0);
});

test('everything that a timer made ready runs before the next timer', async () => {
  const clock = newClock();
  const seen: string[] = [];
  clock.setTimer(async () => {
    for (let i = 0; i < 50; i++) await null;
    seen.push('end of a');
  }, 10);
  clock.setTimer(() => seen.push('b'), 10);
  clock.setTimer(() => seen.push('c'), 11);
  await clock.advance(11);
  assert.deepEqual(seen, ['end of a', 'b', 'c']);
});

test('a timer set for the running instant runs in it, after those that were set before', async () => {
  const clock = newClock();
  const seen: string[] = [];
  clock.setTimer(() => {
    seen.push('a');
    clock.setTimer(() => seen.push(`a's@${clock.monotonic()}`), 0);
  }, 10);
  clock.setTimer(() => seen.push('b'), 10);
  await clock.advance(10);
  assert.deepEqual(seen, ['a', 'b', "a's@10"]);
});

test('setTimer never runs its function by itself', () => {
  const clock = newClock();
  let ran = false;
  clock.setTimer(() => {
    ran = true;
  }, 0);
  assert.equal(ran, false);
});

test('advance stops where until answers true, and goes on from there', async () => {
  const clock = newClock();
  let ticks = 0;
  const tick = () => {
    ticks++;
    clock.setTimer(tick, 100);
  };
  clock.setTimer(tick, 100);
  assert.equal(await clock.advance(1000, () => ticks === 3), false);
  assert.equal(clock.monotonic(), 300);
  assert.equal(await clock.advance(1000, () => true), false, 'asked before the first timer');
  assert.equal(clock.monotonic(), 300);
  assert.equal(await clock.advance(100), true);
  assert.equal(ticks, 4);
});

test('time waits for held operations', async () => {
  const clock = newClock();
  const seen: string[] = [];
  const first = clock.hold('write a');
  const second = clock.hold('write b');
  clock.setTimer(() => seen.push('timer'), 1);
  const advanced = clock.advance(1).then(() => seen.push('advanced'));
  const settled = clock.settle().then(() => seen.push('settled'));
  await turn();
  assert.deepEqual(clock.held, ['write a', 'write b']);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await turn();
  await turn();
  assert.equal(seen.length, 0);
  second[Symbol.dispose]();
  await Promise.all([advanced, settled]);
  assert.deepEqual(new Set(seen), new Set(['timer', 'settled', 'advanced']));
});

test('what a released operation goes on to do still belongs to its instant', async () => {
  const clock = newClock();
  const seen: string[] = [];
  clock.setTimer(async () => {
    for (const name of ['read', 'write']) {
      using _ = clock.hold(name);
      await turn();
      await turn();
      seen.push(`${name}@${clock.monotonic()}`);
    }
  }, 1);
  clock.setTimer(() => seen.push(`next@${clock.monotonic()}`), 2);
  await clock.advance(2);
  assert.deepEqual(seen, ['read@1', 'write@1', 'next@2']);
});

test('an instant that never ends is reported, with who set its timers', async () => {
  const clock = newClock(100);
  const spinner = async () => {
    for (;;) await clock.yield();
  };
  const spinning = spinner();
  spinning.catch(() => undefined);
  await assert.rejects(clock.advance(10), (error: unknown) => {
    assert.ok(error instanceof EndlessInstantError);
    assert.match(error.message, /stands still at 2026-01-31T08:00:00.000Z: 101 timers ran .*spinner/);
    return true;
  });
});

test('many timers at many instants are not an endless instant', async () => {
  const clock = newClock(100);
  let ran = 0;
  for (let i = 0; i < 1000; i++) clock.setTimer(() => ran++, i / 50);
  await clock.advance(50);
  assert.equal(ran, 1000);
});

test('an error of a timer rejects advance, and the rest still waits', async () => {
  const clock = newClock();
  let ran = false;
  clock.setTimer(() => {
    throw new Error('broken');
  }, 5);
  clock.setTimer(() => {
    ran = true;
  }, 6);
  await assert.rejects(clock.advance(10), /broken/);
  assert.equal(clock.monotonic(), 5);
  assert.equal(await clock.advance(5), true);
  assert.ok(ran);
});

test('a jump moves wall time alone', async () => {
  const clock = newClock();
  let at = 0;
  clock.setTimer(() => {
    at = clock.monotonic();
  }, 1000);
  clock.jump(-3_600_000);
  assert.equal(clock.now(), start - 3_600_000);
  assert.equal(clock.monotonic(), 0);
  await clock.advance(1000);
  assert.equal(at, 1000);
  assert.equal(clock.now(), start - 3_599_000);
});

test('misuse is a bug', async () => {
  const clock = newClock();
  for (const delay of [Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => clock.setTimer(() => {}, delay), AssertionError);
  }
  for (const span of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    await assert.rejects(clock.advance(span), AssertionError);
  const first = clock.advance(1);
  await assert.rejects(clock.advance(1), /already/);
  await first;
});

test('sleep ends in time, or with the reason of its signal', async () => {
  const clock = newClock();
  const seen: string[] = [];
  clock.sleep(50).then(() => seen.push(`slept@${clock.monotonic()}`));
  const stop = new AbortController();
  clock.sleep(500, stop.signal).catch((reason) => seen.push(`${reason}@${clock.monotonic()}`));
  clock.setTimer(() => stop.abort('stopped'), 60);
  await clock.advance(100);
  assert.deepEqual(seen, ['slept@50', 'stopped@60']);
  assert.equal(clock.pending, 0);
  await assert.rejects(clock.sleep(1, AbortSignal.abort(new Error('too late'))), /too late/);
});

test('withTimeout: the delay, the parent, or the end of the work', async () => {
  const clock = newClock();
  const late = withTimeout(clock, 100);
  await clock.advance(99);
  assert.equal(late.signal.aborted, false);
  await clock.advance(1);
  assert.ok(late.signal.reason instanceof TimeoutError);
  assert.equal(late.signal.reason.name, 'TimeoutError');
  assert.equal(late.signal.reason.delayMs, 100);

  const parent = new AbortController();
  const child = withTimeout(clock, 100, parent.signal);
  parent.abort('gone');
  assert.equal(child.signal.reason, 'gone');
  assert.equal(clock.pending, 0, 'no timer stays behind');
  assert.equal(withTimeout(clock, 100, parent.signal).signal.reason, 'gone');
  assert.equal(clock.pending, 0);

  const quick = withTimeout(clock, 100);
  quick[Symbol.dispose]();
  await clock.advance(200);
  assert.equal(quick.signal.aborted, false);
});

test('formatTime cuts to seconds, formatMicroTime rounds to microseconds', () => {
  const table: [number, string, string][] = [
    [0, '1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000000Z'],
    [start, '2026-01-31T08:00:00Z', '2026-01-31T08:00:00.000000Z'],
    [start + 999.9, '2026-01-31T08:00:00Z', '2026-01-31T08:00:00.999900Z'],
    [start + 1.001, '2026-01-31T08:00:00Z', '2026-01-31T08:00:00.001001Z'],
    [start + 0.9999, '2026-01-31T08:00:00Z', '2026-01-31T08:00:00.001000Z'],
    [Date.UTC(2000, 1, 29), '2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000000Z'],
    [Date.UTC(2024, 1, 29, 23, 59, 59), '2024-02-29T23:59:59Z', '2024-02-29T23:59:59.000000Z'],
    [Date.UTC(2024, 11, 31), '2024-12-31T00:00:00Z', '2024-12-31T00:00:00.000000Z'],
    [Date.UTC(2100, 2, 1), '2100-03-01T00:00:00Z', '2100-03-01T00:00:00.000000Z'],
    [-1, '1969-12-31T23:59:59Z', '1969-12-31T23:59:59.999000Z'],
    [-0.25, '1969-12-31T23:59:59Z', '1969-12-31T23:59:59.999750Z'],
  ];
  for (const [ms, seconds, micros] of table) {
    assert.equal(formatTime(ms), seconds);
    assert.equal(formatMicroTime(ms), micros);
  }
  for (let micros = 0; micros < 1000; micros++) {
    const text = `2026-01-31T08:00:00.123${String(micros).padStart(3, '0')}Z`;
    assert.equal(formatMicroTime(start + 123 + micros / 1000), text);
  }
});

test('a deadline makes its signal when it is asked for, and counts from its own beginning', async () => {
  const clock = newClock();
  let asked = 0;
  const parent = new AbortController();
  const source = {
    get signal() {
      asked++;
      return parent.signal;
    },
  };
  const unused = new Deadline(clock, 100, source);
  unused[Symbol.dispose]();
  assert.equal(asked, 0);

  const late = new Deadline(clock, 100, source);
  await clock.advance(60);
  const { signal } = late;
  assert.equal(late.signal, signal);
  await clock.advance(39);
  assert.equal(signal.aborted, false);
  await clock.advance(1);
  assert.equal(signal.reason.message, 'timed out after 100 ms');

  const child = new Deadline(clock, 100, source);
  const followed = child.signal;
  parent.abort('gone');
  assert.equal(followed.reason, 'gone');
  assert.equal(child.signal, followed);
});
