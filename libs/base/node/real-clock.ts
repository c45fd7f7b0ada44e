import { setImmediate as immediate } from 'node:timers/promises';
import { assert } from '../assert.ts';
import type { Clock, Timer, TimerOptions } from '../clock.ts';
import { sleepOn } from '../virtual-clock.ts';

/** Node's longest timer; longer delays are waited for in pieces. */
const TIMER_MS_MAX = 0x7fffffff;

const free: Disposable = { [Symbol.dispose]() {} };

/** Taken once: each use of the global is a call, and so is each look at where it began. */
const { performance } = globalThis;
const ORIGIN_MS = performance.timeOrigin;

/** The machine's own time. */
export class RealClock implements Clock {
  now(): number {
    // `performance` does not follow a clock that was set; the difference shows as soon as it passes 10 ms.
    const nowMs = ORIGIN_MS + performance.now();
    const wallMs = Date.now();
    return Math.abs(wallMs - nowMs) > 10 ? wallMs : nowMs;
  }

  monotonic(): number {
    return performance.now();
  }

  setTimer(run: () => void, delayMs: number, options?: TimerOptions): Timer {
    assert(Number.isFinite(delayMs), `a timer wants a finite delay, not ${delayMs}`);
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number) => {
      handle = setTimeout(
        () => (leftMs > TIMER_MS_MAX ? arm(leftMs - TIMER_MS_MAX) : run()),
        Math.min(leftMs, TIMER_MS_MAX),
      );
      if (!options?.keepAlive) handle.unref();
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  yield(): Promise<void> {
    return immediate();
  }

  hold(): Disposable {
    return free;
  }
}
