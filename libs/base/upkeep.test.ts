import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock, Timer, Upkeep } from './clock.ts';
import { turn } from './node/turn.ts';
import { SeededRandom } from './random.ts';
import { VirtualClock } from './virtual-clock.ts';

const HOUR = 3_600_000;

/** Work that sets itself anew, and when it ran, in seconds. */
function repeat(clock: Clock, everyMs: number, upkeep: Upkeep | undefined, run?: () => void): number[] {
  const ran: number[] = [];
  const again = () =>
    void clock.setTimer(
      () => {
        ran.push(clock.monotonic() / 1000);
        run?.();
        again();
      },
      everyMs,
      { upkeep },
    );
  again();
  return ran;
}

const cases: readonly {
  readonly name: string;
  readonly upkeep: Upkeep;
  readonly ordinarySeconds?: readonly number[];
  readonly isWell?: false;
  readonly ran: readonly number[];
}[] = [
  { name: 'a beat runs once, and at the last instant before the end', upkeep: 'beat', ran: [10, 100] },
  { name: 'a check runs once', upkeep: 'check', ran: [10] },
  { name: 'a beat runs before what happens', upkeep: 'beat', ordinarySeconds: [55], ran: [10, 50, 100] },
  { name: 'a beat runs first at its instant', upkeep: 'beat', ordinarySeconds: [70], ran: [10, 70, 100] },
  {
    name: 'who waits for beats has nothing to do with what happens',
    upkeep: 'overdue',
    ordinarySeconds: [55],
    ran: [10],
  },
  {
    name: 'a check stays in step and runs once after each',
    upkeep: 'check',
    ordinarySeconds: [55, 83],
    ran: [10, 60, 90],
  },
  { name: 'a check comes after what happens at its instant', upkeep: 'check', ordinarySeconds: [70], ran: [10, 80] },
  {
    name: 'where something happens all the time no check is passed over',
    upkeep: 'check',
    ordinarySeconds: [5, 15, 25, 35, 45, 55, 65, 75, 85, 95],
    ran: [10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
  },
  {
    name: 'where not all is well nothing is passed over',
    upkeep: 'beat',
    isWell: false,
    ran: [10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
  },
];
for (const { name, upkeep, ordinarySeconds = [], isWell = true, ran } of cases)
  test(`upkeep: ${name}`, async () => {
    const clock = new VirtualClock({ turn, isWell: () => isWell });
    const repeated = repeat(clock, 10_000, upkeep);
    const order: string[] = [];
    for (const seconds of ordinarySeconds)
      clock.setTimer(() => order.push(`${seconds}: ${repeated.at(-1)}`), seconds * 1000);
    await clock.advance(100_000);
    assert.deepEqual(repeated, ran);
    for (const one of order) {
      const [at, last] = one.split(': ').map(Number) as [number, number];
      if (upkeep === 'beat') assert.ok(at - last < 10, `at ${at} s the last beat was at ${last} s`);
    }
  });

test('upkeep: a clock that was not told when all is well passes nothing over', async () => {
  const clock = new VirtualClock({ turn });
  const beats = repeat(clock, 10_000, 'beat');
  await clock.advance(HOUR);
  assert.equal(beats.length, 360);
});

test('upkeep: timers without a delay that upkeep sets do not count as something that happens', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  const beats = repeat(clock, 10_000, 'beat', () => void clock.yield());
  await clock.advance(HOUR);
  assert.deepEqual(beats, [10, 3600]);
});

test('upkeep: what stirs wakes all of it', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  let finds = 0;
  const checks = repeat(clock, 60_000, 'check', () => {
    if (finds-- > 0) clock.stir();
  });
  const beats = repeat(clock, 10_000, 'beat');
  finds = 1;
  await clock.advance(HOUR);
  assert.deepEqual(checks, [60, 120]);
  // The check at 60 s woke them; the one at 120 s found nothing.
  assert.deepEqual(beats, [10, 60, 3600]);
});

test('upkeep: beats that a check was let run before are there when something happens right after it', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  const beats = repeat(clock, 10_000, 'beat');
  clock.setTimer(() => {}, 104_000, { upkeep: 'check' });
  const seen: number[] = [];
  clock.setTimer(() => seen.push(beats.at(-1) as number), 107_000);
  await clock.advance(HOUR);
  assert.deepEqual(seen, [104]);
});

test('upkeep: what is aside keeps its instant, wakes nobody and waits for nobody', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  const beats = repeat(clock, 10_000, 'beat');
  const aside: number[] = [];
  clock.setTimer(() => aside.push(clock.monotonic()), 55_500, { upkeep: 'aside' });
  await clock.advance(HOUR);
  assert.deepEqual(aside, [55_500]);
  assert.deepEqual(beats, [10, 3600]);
});

test('upkeep: a beat is never older than its period when something happens, and at the end', async () => {
  const beatMs = 10_000;
  for (let seed = 1; seed <= 50; seed++) {
    const random = new SeededRandom(`upkeep ${seed}`);
    const clock = new VirtualClock({ turn, isWell: () => true });
    const beats = repeat(clock, beatMs, 'beat');
    const ageMs = () => clock.monotonic() - (beats.at(-1) ?? 0) * 1000;
    const stirring = () => {
      if (random.next() < 0.1) clock.stir();
    };
    for (let i = 0; i < 3; i++) repeat(clock, 5_000 + random.int(100_000), 'check', stirring);
    const ages: number[] = [];
    for (let i = 0; i < 20; i++) clock.setTimer(() => ages.push(ageMs()), random.int(HOUR));
    for (let i = 0; i < 5; i++) clock.setTimer(stirring, random.int(HOUR), { upkeep: 'aside' });
    await clock.advance(HOUR);
    ages.push(ageMs());
    assert.ok(Math.max(...ages) <= beatMs, `seed ${seed}: ${Math.max(...ages)} ms`);
    assert.ok(beats.length < 200, `seed ${seed}: ${beats.length} beats of 360`);
  }
});

test('upkeep: what is due beside a check that must run is passed over all the same', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  const slow: number[] = [];
  // Set first, and so the first of its instant.
  clock.setTimer(() => slow.push(clock.monotonic() / 1000), 60_000, { upkeep: 'check' });
  const checks = repeat(clock, 10_000, 'check');
  const beats = repeat(clock, 20_000, 'beat');
  const before: number[] = [];
  clock.setTimer(() => slow.push(clock.monotonic() / 1000), 1_000_000, { upkeep: 'check' });
  clock.setTimer(() => before.push(beats.at(-1) as number), 1_000_000);
  await clock.advance(HOUR);
  assert.deepEqual(slow, [60, 1000]);
  assert.deepEqual(checks, [10, 1010]);
  // What happens beside a check is still told of a fresh sign of life.
  assert.deepEqual(beats, [20, 1000, 3600]);
  assert.deepEqual(before, [1000]);
});

test('upkeep: what was passed over can be cancelled as ever', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  const ran: number[] = [];
  let timer: Timer | undefined;
  const again = () => {
    ran.push(clock.monotonic() / 1000);
    timer = clock.setTimer(again, 10_000, { upkeep: 'beat' });
  };
  again();
  clock.setTimer(() => timer?.cancel(), 55_000);
  await clock.advance(HOUR);
  assert.deepEqual(ran, [0, 10, 50]);
  assert.equal(clock.pending, 0);
});

test('upkeep: each advance is something that happens to all of it', async () => {
  for (const upkeep of ['check', 'overdue', 'beat'] as const) {
    const clock = new VirtualClock({ turn, isWell: () => true });
    const ran = repeat(clock, 10_000, upkeep);
    for (let i = 0; i < 3; i++) await clock.advance(HOUR);
    assert.deepEqual(ran, upkeep === 'beat' ? [10, 3600, 3610, 7200, 7210, 10_800] : [10, 3610, 7210], upkeep);
  }
});

test('upkeep: who waits for beats misses none that were passed over', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  let beatMs = 0;
  repeat(clock, 10_000, 'beat', () => {
    beatMs = clock.monotonic();
  });
  let lateMs = 0;
  repeat(clock, 45_000, 'overdue', () => {
    lateMs = Math.max(lateMs, clock.monotonic() - beatMs);
  });
  repeat(clock, 7_000, 'check');
  for (let seconds = 100; seconds < 3000; seconds += 333) clock.setTimer(() => {}, seconds * 1000);
  for (let i = 0; i < 3; i++) await clock.advance(HOUR);
  assert.ok(lateMs < 45_000, `${lateMs} ms`);
});

test('upkeep: many beats run in their order within their last periods', async () => {
  const clock = new VirtualClock({ turn, isWell: () => true });
  const order: number[] = [];
  const all = Array.from({ length: 200 }, (_, i) => repeat(clock, 10_000 + i, 'beat', () => order.push(i)));
  await clock.advance(HOUR);
  for (const [i, ran] of all.entries()) {
    assert.equal(ran.length, 2);
    assert.ok(HOUR / 1000 - (ran[1] as number) < (10_000 + i) / 1000);
  }
  const last = order.slice(200).map((i) => all[i]?.[1] as number);
  assert.deepEqual(
    last,
    [...last].sort((a, b) => a - b),
  );
});
