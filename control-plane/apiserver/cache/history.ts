import type { Revision, Store, StoreEvent } from '../../store/store.ts';

/** Events that are read ahead of their reader; the watch then pauses and starts anew from there. */
const BUFFERED_EVENTS_MAX = 4096;

export interface HistoryBatch {
  readonly events: readonly StoreEvent[];
  /** Everything up to here has been told. */
  readonly upTo: Revision;
}

/**
 * Reads what the store still knows of writes after `after`, until `isEnough` says so of a revision. For watchers that
 * start (or have fallen) further back than the cache's own ring. Holds a bounded number of events, however slow the
 * reader is. Throws what ended the store's watch: `CompactedError`, `StoreError`.
 */
export async function* readHistory(
  store: Store,
  prefix: string,
  after: Revision,
  isEnough: (upTo: Revision) => boolean,
): AsyncGenerator<HistoryBatch, void, undefined> {
  let position = after;
  while (!isEnough(position)) {
    const portion = new Portion(position);
    const watch = await store.watch(prefix, position, portion);
    try {
      while (!isEnough(position)) {
        const batch = await portion.take();
        // Full: what it holds has been handed out, and a new watch goes on from there.
        if (!batch) break;
        position = batch.upTo;
        yield batch;
      }
    } finally {
      watch.close();
    }
  }
}

/** What one watch of the store tells, until its reader takes it. */
class Portion {
  #events: StoreEvent[] = [];
  #upTo: Revision;
  #progressed = false;
  #full = false;
  #ended = false;
  #reason: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(after: Revision) {
    this.#upTo = after;
  }

  events(batch: readonly StoreEvent[]): void {
    if (this.#full) return;
    this.#full = this.#events.length + batch.length > BUFFERED_EVENTS_MAX && this.#events.length > 0;
    if (!this.#full) this.#events.push(...batch);
  }

  progress(revision: Revision): void {
    if (this.#full) return;
    this.#upTo = revision;
    this.#progressed = true;
    this.#wake?.();
  }

  ended(reason: Error | undefined): void {
    this.#ended = true;
    this.#reason = reason;
    this.#wake?.();
  }

  /** What has been told since the last time; undefined once it is full and empty. */
  async take(): Promise<HistoryBatch | undefined> {
    while (!this.#progressed) {
      if (this.#ended) throw this.#reason ?? new Error('the store was closed');
      if (this.#full) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#progressed = false;
    const events = this.#events;
    this.#events = [];
    return { events, upTo: this.#upTo };
  }
}
