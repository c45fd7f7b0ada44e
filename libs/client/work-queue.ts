import { backoffMs } from '../base/backoff.ts';
import type { Clock, Timer, Upkeep } from '../base/clock.ts';
import type { QueueObserver } from '../kind/reconciler.ts';
import { TokenBucket } from './token-bucket.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Delays of a key that fails again and again; default upstream's, 5 ms doubling up to 1,000 s. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number };
  /** How fast all failing keys together come back; default upstream's, 10 a second after 100 at once. */
  readonly rate?: { readonly perSecond: number; readonly burst: number };
  readonly observer?: QueueObserver | undefined;
}

interface Delayed {
  readonly dueMs: number;
  readonly timer: Timer;
}

const BACKOFF = { firstMs: 5, maxMs: 1_000_000 } as const;
const RATE = { perSecond: 10, burst: 100 } as const;

/**
 * Keys that want to be looked at. A key waits at most once, however often it is added, so the queue is bounded by the
 * number of objects; and it is never handed to two workers at once: added while it is worked on, it waits until `done`
 * and comes again.
 *
 *     await queue.serve(5, async (key) => {
 *       try { await work(key); queue.forget(key); } catch { queue.addRateLimited(key); } finally { queue.done(key); }
 *     });
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #backoff: { readonly firstMs: number; readonly maxMs: number };
  readonly #bucket: TokenBucket;
  readonly #observer: QueueObserver | undefined;
  /** Since when a key waits or is worked on; kept where somebody observes. */
  readonly #sinceMs = new Map<string, number>();
  /** Waiting for a worker, in the order of their coming. */
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  /** Added while worked on. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  /** Apart from those that must come in time: a virtual clock may pass these over. */
  readonly #upkeep = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  #workers = 0;
  #workersMax = 0;
  #work: (key: string) => Promise<void> = async () => {};
  #closed = false;
  readonly #ended = Promise.withResolvers<void>();

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#backoff = options.backoff ?? BACKOFF;
    this.#observer = options.observer;
    this.#bucket = new TokenBucket(options.clock, options.rate ?? RATE);
  }

  /** Keys that wait for a worker. */
  get length(): number {
    return this.#waiting.size;
  }

  /** Nothing waits, nothing is worked on; later keys may still be due. */
  get idle(): boolean {
    return this.#waiting.size === 0 && this.#working.size === 0;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#waiting.has(key)) return;
    if (this.#observer) this.#sinceMs.set(key, this.#clock.monotonic());
    if (this.#workers >= this.#workersMax) {
      this.#waiting.add(key);
      this.#observer?.added(this.#waiting.size);
    } else {
      this.#observer?.added(this.#waiting.size);
      this.#begin(key);
      void this.#workFrom(key);
    }
  }

  /** Adds the key after a while; of several such wishes the earliest counts. `upkeep`: what the look is for the clock. */
  addAfter(key: string, delayMs: number, upkeep?: Upkeep): void {
    if (this.#closed) return;
    if (delayMs <= 0) return this.add(key);
    const nowMs = this.#clock.monotonic();
    const dueMs = nowMs + delayMs;
    const delayed = upkeep ? this.#upkeep : this.#delayed;
    const known = delayed.get(key);
    // One that should have come already was passed over, and comes who knows when.
    if (known && known.dueMs <= dueMs && known.dueMs >= nowMs) return;
    known?.timer.cancel();
    const run = () => {
      delayed.delete(key);
      this.add(key);
    };
    delayed.set(key, { dueMs, timer: this.#clock.setTimer(run, delayMs, { upkeep }) });
  }

  /** Adds the key after a delay that grows with its failures, and with those of all. Gives the delay. */
  addRateLimited(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.#observer?.retried();
    const delayMs = Math.max(backoffMs(this.#backoff, failures), this.#bucket.reserve());
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The key has succeeded: its next failure counts as the first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /**
   * Hands keys to `work`, at most `workers` at once, until the queue is closed; resolves when the last has come to its end.
   * A key is that call's until `done`, and the call must not reject. Called once. Workers are there while there is work:
   * the controllers of a cluster could have two hundred at once, and most never have one.
   */
  serve(workers: number, work: (key: string) => Promise<void>): Promise<void> {
    this.#work = work;
    this.#workersMax = workers;
    while (this.#workers < workers) {
      const key = this.#next();
      if (key === undefined) break;
      void this.#workFrom(key);
    }
    if (this.#closed && this.#workers === 0) this.#ended.resolve();
    return this.#ended.promise;
  }

  async #workFrom(first: string): Promise<void> {
    this.#workers++;
    // Who adds a key goes on first.
    await undefined;
    for (let key: string | undefined = first; key !== undefined; key = this.#next()) await this.#work(key);
    this.#workers--;
    if (this.#closed && this.#workers === 0) this.#ended.resolve();
  }

  #next(): string | undefined {
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      this.#begin(key);
      return key;
    }
    return undefined;
  }

  #begin(key: string): void {
    this.#working.add(key);
    if (!this.#observer) return;
    const nowMs = this.#clock.monotonic();
    this.#observer.taken(key, nowMs - (this.#sinceMs.get(key) ?? nowMs), this.#waiting.size);
    this.#sinceMs.set(key, nowMs);
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#observer) {
      const nowMs = this.#clock.monotonic();
      this.#observer.done(key, nowMs - (this.#sinceMs.get(key) ?? nowMs));
      this.#sinceMs.delete(key);
    }
    if (this.#again.delete(key)) this.add(key);
  }

  /** Hands out nothing more. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const delayed of [this.#delayed, this.#upkeep]) {
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
    }
    this.#waiting.clear();
    this.#again.clear();
    if (this.#workers === 0) this.#ended.resolve();
  }
}
