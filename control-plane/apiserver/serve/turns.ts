import type { Clock } from '../../../libs/base/clock.ts';

/** As many as take some milliseconds together. */
const REQUESTS_A_TURN = 32;
const TURN_MS = 5;

/**
 * Lets a burst of requests begin by and by, in the order in which they came: a client that opens a thousand watches sends
 * a hundred requests in one packet, and ten of its connections are read before anything else has its turn. Requests that
 * wait are bounded by the connections and their streams.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #begun = 0;
  #sinceMs = 0;
  #scheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `begin` now, or in a later turn of the event loop. */
  take(begin: () => void): void {
    if (!this.#scheduled && this.#hasRoom()) return begin();
    this.#waiting.push(begin);
    if (!this.#scheduled) void this.#letIn();
  }

  #hasRoom(): boolean {
    if (this.#begun === REQUESTS_A_TURN) {
      const elapsedMs = this.#clock.monotonic() - this.#sinceMs;
      // A clock that stands still would give nobody a later turn.
      if (elapsedMs > 0 && elapsedMs < TURN_MS) return false;
      this.#begun = 0;
    }
    if (this.#begun++ === 0) this.#sinceMs = this.#clock.monotonic();
    return true;
  }

  async #letIn(): Promise<void> {
    this.#scheduled = true;
    do {
      await this.#clock.yield();
      for (const begin of this.#waiting.splice(0, REQUESTS_A_TURN)) begin();
    } while (this.#waiting.length > 0);
    this.#scheduled = false;
    this.#begun = 0;
  }
}
