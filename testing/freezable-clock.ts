import type { Clock, Timer, TimerOptions } from '../libs/base/clock.ts';
import { sleepOn } from '../libs/base/virtual-clock.ts';

interface Waiting {
  readonly run: () => void;
  readonly options: TimerOptions | undefined;
  /** By this clock's monotonic time. */
  readonly dueMs: number;
  timer: Timer | undefined;
}

/** A clock that goes along with another, and that can be stopped for a while: then no time passes, and no timer runs. */
export class FreezableClock implements Clock {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  /** How long it has stood still in all. */
  #lostMs = 0;
  /** Where it stands still, by the other's times. */
  #stands: { readonly nowMs: number; readonly monotonicMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get frozen(): boolean {
    return this.#stands !== undefined;
  }

  now(): number {
    return (this.#stands?.nowMs ?? this.#clock.now()) - this.#lostMs;
  }

  monotonic(): number {
    return (this.#stands?.monotonicMs ?? this.#clock.monotonic()) - this.#lostMs;
  }

  freeze(): void {
    if (this.#stands) return;
    this.#stands = { nowMs: this.#clock.now(), monotonicMs: this.#clock.monotonic() };
    for (const one of this.#waiting) one.timer?.cancel();
  }

  flow(): void {
    if (!this.#stands) return;
    this.#lostMs += this.#clock.monotonic() - this.#stands.monotonicMs;
    this.#stands = undefined;
    for (const one of [...this.#waiting]) this.#arm(one);
  }

  setTimer(run: () => void, delayMs: number, options?: TimerOptions): Timer {
    const one: Waiting = { run, options, dueMs: this.monotonic() + Math.max(0, delayMs), timer: undefined };
    this.#waiting.add(one);
    if (!this.frozen) this.#arm(one);
    return {
      cancel: () => {
        this.#waiting.delete(one);
        one.timer?.cancel();
      },
    };
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

  #arm(one: Waiting): void {
    const due = () => {
      this.#waiting.delete(one);
      one.run();
    };
    one.timer = this.#clock.setTimer(due, Math.max(0, one.dueMs - this.monotonic()), one.options);
  }
}
