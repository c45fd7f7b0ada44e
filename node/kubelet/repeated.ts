import type { Clock, Timer, Upkeep } from '../../libs/base/clock.ts';

export interface RepeatedWork {
  /** Deals with its own failures. */
  readonly run: () => Promise<void>;
  /** How long until the next run, asked after each. */
  readonly delayMs: () => number;
  /** What the next run is, if it changes nothing while all stays as it is. Asked after each. */
  readonly upkeep?: () => Upkeep | undefined;
}

/** One piece of work, done again and again, never twice at once. */
export class Repeated {
  readonly #clock: Clock;
  readonly #work: RepeatedWork;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(clock: Clock, work: RepeatedWork) {
    this.#clock = clock;
    this.#work = work;
  }

  /** Runs now; or, where it runs already, once more after that. */
  poke(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#running = this.#work.run().finally(() => {
      this.#running = undefined;
      if (this.#again) {
        this.#again = false;
        this.poke();
      } else this.later();
    });
  }

  /** Runs after the delay. */
  later(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.setTimer(() => this.poke(), this.#work.delayMs(), { upkeep: this.#work.upkeep?.() });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }
}
