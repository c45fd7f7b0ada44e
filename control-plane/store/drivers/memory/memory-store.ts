import type { Clock } from '../../../../libs/base/clock.ts';
import type { Random } from '../../../../libs/base/random.ts';
import { type EmbeddedOptions, EmbeddedStore } from '../../embedded/embedded-store.ts';
import type { HistoryLimits } from './history.ts';
import { emptySnapshot, MemoryEngine, type StoreSnapshot } from './memory-engine.ts';

export type { StoreSnapshot } from './memory-engine.ts';

export interface MemoryStoreOptions extends EmbeddedOptions, HistoryLimits {
  readonly clock: Clock;
  /** Makes the cluster's id. */
  readonly random: Random;
}

/**
 * A store that keeps everything in this process's memory and forgets it with the process: for simulations and tests.
 * Writes of one synchronous run share a commit, which takes a few microtasks and no timer, so a write can be awaited
 * while virtual time stands still.
 *
 *     const store = new MemoryStore({ clock, random });
 *     const before = store.snapshot();
 *     ...
 *     const again = MemoryStore.fromSnapshot(before, { clock, random });      // as often as wanted
 */
export class MemoryStore extends EmbeddedStore {
  readonly #engine: MemoryEngine;

  constructor(options: MemoryStoreOptions, from?: StoreSnapshot) {
    const start = from ?? emptySnapshot(options.random.fork('cluster-id').uuid());
    const engine = new MemoryEngine(start, options);
    super(engine, options.clock, options);
    this.#engine = engine;
  }

  /** A store of its own that goes on from the snapshot: same cluster id, revisions, history and expiries. */
  static fromSnapshot(snapshot: StoreSnapshot, options: MemoryStoreOptions): MemoryStore {
    const store = new MemoryStore(options, snapshot);
    store.start();
    return store;
  }

  /** The durable state now; writes that wait for their commit are not in it. */
  snapshot(): StoreSnapshot {
    return this.#engine.snapshot();
  }
}
