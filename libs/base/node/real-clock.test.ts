import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AssertionError } from '../assert.ts';
import { RealClock } from './real-clock.ts';

test('now is the machine’s time, monotonic does not go back', () => {
  const clock = new RealClock();
  const [before, now, after] = [Date.now(), clock.now(), Date.now()];
  assert.ok(now >= before - 15 && now <= after + 15);
  let last = clock.monotonic();
  for (let i = 0; i < 1000; i++) {
    const next = clock.monotonic();
    assert.ok(next >= last);
    last = next;
  }
});

test('now follows a clock that was set', () => {
  const clock = new RealClock();
  const day = 86_400_000;
  const before = Date.now();
  const set = mock.method(Date, 'now', () => before + day);
  try {
    assert.ok(Math.abs(clock.now() - (before + day)) < 1000);
  } finally {
    set.mock.restore();
  }
});

test('timers run once and not after cancel', async () => {
  const clock = new RealClock();
  let ran = 0;
  clock.setTimer(() => ran++, 1);
  clock.setTimer(() => (ran += 100), 1).cancel();
  assert.equal(ran, 0);
  await new Promise<void>((done) => clock.setTimer(done, 20, { keepAlive: true }));
  assert.equal(ran, 1);
  assert.throws(() => clock.setTimer(() => {}, Number.POSITIVE_INFINITY), AssertionError);
  assert.throws(() => clock.setTimer(() => {}, Number.NaN), AssertionError);
});

test('delays longer than the platform’s longest timer are waited for in full', () => {
  const clock = new RealClock();
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const month = 40 * 86_400_000;
    let ran = 0;
    clock.setTimer(() => ran++, month);
    const cancelled = clock.setTimer(() => (ran += 100), month);
    const most = 0x7fffffff;
    mock.timers.tick(most);
    cancelled.cancel();
    mock.timers.tick(month - most - 1);
    assert.equal(ran, 0);
    mock.timers.tick(1);
    assert.equal(ran, 1);
    mock.timers.tick(month);
    assert.equal(ran, 1);
  } finally {
    mock.timers.reset();
  }
});

test('sleep is stopped by its signal, yield lets others run', async () => {
  const clock = new RealClock();
  const stop = new AbortController();
  const slept = clock.sleep(60_000, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(slept, /enough/);
  let ran = false;
  setImmediate(() => {
    ran = true;
  });
  await clock.yield();
  await clock.yield();
  assert.ok(ran);
  clock.hold()[Symbol.dispose]();
});

test('a waiting timer does not keep the process alive unless told to', () => {
  const url = new URL('./real-clock.ts', import.meta.url).href;
  const run = (options: string) =>
    spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { RealClock } = await import(${JSON.stringify(url)});
         new RealClock().setTimer(() => console.log('ran'), 50, ${options});`,
      ],
      { encoding: 'utf8', cwd: fileURLToPath(new URL('.', import.meta.url)) },
    ).stdout;
  assert.equal(run('{}'), '');
  assert.equal(run('{ keepAlive: true }'), 'ran\n');
});
