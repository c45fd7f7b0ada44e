import type { Clock, Timer } from '../../../libs/base/clock.ts';
import type { Revision } from '../store.ts';
import type { Engine } from './engine.ts';

/** Expiries within this time are done together, and a run that failed is repeated after it. */
const STEP_MS = 1000;
const KEYS_PER_RUN = 500;

/** Deletes keys that have expired. There is a timer only while some key will expire. */
export class Expirer {
  readonly #engine: Pick<Engine, 'nextExpiryMs' | 'expired'>;
  readonly #clock: Clock;
  readonly #remove: (key: string, revision: Revision) => Promise<unknown>;
  #timer: Timer | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #running = false;
  #stopped = false;

  constructor(
    engine: Pick<Engine, 'nextExpiryMs' | 'expired'>,
    clock: Clock,
    /** Deletes the key if it still has this revision. */
    remove: (key: string, revision: Revision) => Promise<unknown>,
  ) {
    this.#engine = engine;
    this.#clock = clock;
    this.#remove = remove;
  }

  /** Looks at what expires next and sets the timer for it. `fromMs`: what is new expires then at the earliest. */
  arm(fromMs = 0): void {
    // What is read from the disk may not be read for every key: most expire after one that is waited for.
    if (this.#stopped || this.#running || fromMs >= this.#dueMs) return;
    const next = this.#engine.nextExpiryMs();
    if (next === undefined || next >= this.#dueMs) return;
    this.#timer?.cancel();
    this.#dueMs = next;
    const delayMs = Math.max(STEP_MS, next - this.#clock.now());
    // What expires are records: nobody's upkeep has to do with them.
    this.#timer = this.#clock.setTimer(() => void this.#run(), delayMs, { upkeep: 'aside' });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#dueMs = Number.POSITIVE_INFINITY;
    const keys = this.#engine.expired(this.#clock.now(), KEYS_PER_RUN);
    // A key that could not be removed is still there, and the next run finds it.
    await Promise.allSettled(keys.map(({ key, revision }) => this.#remove(key, revision)));
    this.#running = false;
    this.arm();
  }
}
