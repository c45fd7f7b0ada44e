import type { Clock } from '../../../../libs/base/clock.ts';
import type { Random } from '../../../../libs/base/random.ts';
import type { Change, CommitGate } from '../../embedded/engine.ts';
import { StoreError, type StoreErrorReason } from '../../store.ts';

export interface FaultyGateOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** A commit takes up to this long. Default 0: no time. */
  readonly delayMsMax?: number;
  /** The share of commits that fail, 0 to 1. Default 0. */
  readonly failShare?: number;
  /** The share of failing commits whose writers are told that nobody knows. Default 0. */
  readonly maybeShare?: number;
}

/**
 * A slow and failing disk under an embedded store: by chance, from a seed, or step by step by `hold`, `release` and
 * `failNext`. A commit that fails here never reaches the store's state.
 */
export class FaultyGate implements CommitGate {
  readonly #options: FaultyGateOptions;
  readonly #planned: StoreError[] = [];
  #held: { readonly released: Promise<void>; release(): void } | undefined;
  #begun = 0;

  constructor(options: FaultyGateOptions) {
    this.#options = options;
  }

  /** How many commits have come to the gate. */
  begun(): number {
    return this.#begun;
  }

  /** Commits wait from now on. */
  hold(): void {
    if (this.#held) return;
    let release = () => {};
    const released = new Promise<void>((done) => {
      release = done;
    });
    this.#held = { released, release };
  }

  release(): void {
    this.#held?.release();
    this.#held = undefined;
  }

  /** The next commit that gets through the gate fails; asked again, the one after it. */
  failNext(reason: StoreErrorReason, outcome: 'no' | 'maybe' = 'no'): void {
    this.#planned.push(new StoreError(reason, 'this commit was made to fail', { outcome }));
  }

  async commit(_changes: readonly Change[], persist: () => Promise<void>): Promise<void> {
    const { clock, random, delayMsMax = 0, failShare = 0, maybeShare = 0 } = this.#options;
    this.#begun++;
    if (delayMsMax > 0) await clock.sleep(random.next() * delayMsMax);
    await this.#held?.released;
    const planned = this.#planned.shift();
    if (planned) throw planned;
    if (failShare > 0 && random.next() < failShare) {
      const outcome = random.next() < maybeShare ? 'maybe' : 'no';
      throw new StoreError('unavailable', 'this commit failed by chance', { outcome });
    }
    await persist();
  }
}
