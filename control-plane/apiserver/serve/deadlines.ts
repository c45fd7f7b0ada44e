import type { Clock, Timer } from '../../../libs/base/clock.ts';
import { Linked, Ring } from '../../../libs/base/ring.ts';

/** Something that is waited for. */
export class Awaited extends Linked {
  readonly dueMs: number;
  readonly late: () => void;

  constructor(dueMs: number, late: () => void) {
    super();
    this.dueMs = dueMs;
    this.late = late;
  }
}

/**
 * Many deadlines of one length, nearly all of which are met: a ring and one timer instead of a timer for each. What is
 * late is told of at the latest a quarter of the length after its time. There is a timer only while something waits.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #lengthMs: number;
  /** In the order of their beginnings. */
  readonly #waiting = new Ring<Awaited>();
  #timer: Timer | undefined;

  constructor(clock: Clock, lengthMs: number) {
    this.#clock = clock;
    this.#lengthMs = lengthMs;
  }

  /** Calls `late` unless the result is met in time. */
  begin(late: () => void): Awaited {
    const awaited = new Awaited(this.#clock.monotonic() + this.#lengthMs, late);
    this.#waiting.add(awaited);
    this.#timer ??= this.#clock.setTimer(() => this.#sweep(), this.#lengthMs);
    return awaited;
  }

  /** Idempotent. */
  met(awaited: Awaited): void {
    this.#waiting.remove(awaited);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const awaited of this.#waiting.all()) this.met(awaited);
  }

  #sweep(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonic();
    for (let first = this.#waiting.first; first && first.dueMs <= nowMs; first = this.#waiting.first) {
      this.met(first);
      first.late();
    }
    if (this.#waiting.first) this.#timer ??= this.#clock.setTimer(() => this.#sweep(), this.#lengthMs / 4);
  }
}
