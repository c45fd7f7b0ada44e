import type { Clock, Timer, TimerOptions } from '../../libs/base/clock.ts';
import { sleepOn } from '../../libs/base/virtual-clock.ts';

/**
 * The clock of one simulated machine: the cluster's time, seen from a machine whose wall clock may be wrong and which
 * may stand still. While it is paused no timer of it runs; what fell due meanwhile runs when it goes on, in its order.
 */
export class NodeClock implements Clock {
  readonly #clock: Clock;
  /** By how much the wall clock is ahead, in milliseconds. Deadlines do not see it. */
  skewMs = 0;
  #waiting: (() => void)[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now() + this.skewMs;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  get paused(): boolean {
    return this.#waiting !== undefined;
  }

  pause(): void {
    this.#waiting ??= [];
  }

  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const run of waiting) this.setTimer(run, 0);
  }

  /** Resolves at once, or when the machine goes on. */
  whenRunning(): Promise<void> | undefined {
    return this.#waiting && new Promise((go) => this.#waiting?.push(go));
  }

  setTimer(run: () => void, delayMs: number, options?: TimerOptions): Timer {
    const due = () => {
      if (!this.#waiting) return run();
      // It has run as far as the cluster's clock knows; here it may still be cancelled.
      this.#waiting.push(() => {
        if (timer.isSet) run();
      });
    };
    const timer = new NodeTimer(this.#clock.setTimer(due, delayMs, options));
    return timer;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  yield(): Promise<void> {
    return this.#clock.yield();
  }

  hold(what: string): Disposable {
    return this.#clock.hold(what);
  }
}

class NodeTimer implements Timer {
  readonly #timer: Timer;
  /** Nobody has cancelled it. */
  isSet = true;

  constructor(timer: Timer) {
    this.#timer = timer;
  }

  cancel(): void {
    this.isSet = false;
    this.#timer.cancel();
  }
}
