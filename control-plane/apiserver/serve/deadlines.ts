import type { Clock, Timer } from '../../../libs/base/clock.ts';

/**
 * Many deadlines of one length, nearly all of which are met: a set and one timer instead of a timer for each. What is
 * late is told of at the latest a quarter of the length after its time. There is a timer only while something waits.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #lengthMs: number;
  /** In the order of their beginnings. */
  readonly #waiting = new Map<object, { readonly dueMs: number; readonly late: () => void }>();
  #timer: Timer | undefined;

  constructor(clock: Clock, lengthMs: number) {
    this.#clock = clock;
    this.#lengthMs = lengthMs;
  }

  /** Calls `late` unless `what` is met in time. Beginning again starts anew. */
  begin(what: object, late: () => void): void {
    this.#waiting.delete(what);
    this.#waiting.set(what, { dueMs: this.#clock.monotonic() + this.#lengthMs, late });
    this.#timer ??= this.#clock.setTimer(() => this.#sweep(), this.#lengthMs);
  }

  met(what: object): void {
    this.#waiting.delete(what);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #sweep(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonic();
    for (const [what, { dueMs, late }] of this.#waiting) {
      if (dueMs > nowMs) break;
      this.#waiting.delete(what);
      late();
    }
    if (this.#waiting.size > 0) this.#timer ??= this.#clock.setTimer(() => this.#sweep(), this.#lengthMs / 4);
  }
}
