import { assert } from './assert.ts';
import type { Random } from './random.ts';

export interface BackoffOptions {
  firstMs: number;
  /** Each delay is the former times this. Default 2. */
  factor?: number;
  /** No delay is longer than this, jitter aside. */
  maxMs: number;
  /** Adds up to this share of the delay at random (0.1: up to 10 %). Default 0; more needs `random`. */
  jitter?: number;
  random?: Random;
}

/** Growing delays for one thing that fails: `next()` gives the delay in milliseconds, `reset()` starts anew. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  get failures(): number {
    return this.#failures;
  }

  next(): number {
    return backoffMs(this.#options, this.#failures++);
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** The delay after `failures` earlier failures (0 for the first). Pure when there is no jitter. */
export function backoffMs(options: BackoffOptions, failures: number): number {
  const { firstMs, factor = 2, maxMs, jitter = 0, random } = options;
  // After hundreds of failures the power is Infinity, and 0 times that is not a number.
  const delay = firstMs === 0 ? 0 : Math.min(maxMs, firstMs * factor ** failures);
  if (jitter === 0) return delay;
  assert(random, 'back-off with jitter wants a random source');
  return delay + delay * jitter * random.next();
}
