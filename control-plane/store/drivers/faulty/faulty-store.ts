import type { Clock } from '../../../../libs/base/clock.ts';
import type { Random } from '../../../../libs/base/random.ts';
import {
  CompactedError,
  type Entry,
  type ListOptions,
  type ListResult,
  type Revision,
  type Store,
  StoreError,
  type StoreEvent,
  type Watch,
  type WatchHandler,
  type Write,
  type WriteResult,
} from '../../store.ts';

/** Each share is a chance from 0 to 1 per call, or per batch of events. Default of all: 0. */
export interface Faults {
  /** A call waits up to this long before it is done, and as long again before it is answered. */
  readonly delayMsMax?: number;
  /** A read, or the start of a watch, fails as `unavailable`. */
  readonly readFailShare?: number;
  /** A write fails as `unavailable` and is not done. */
  readonly writeFailShare?: number;
  /** A write fails as `unavailable`, `maybe`; half of them are done. */
  readonly writeMaybeShare?: number;
  /** A watch ends after a batch with `unavailable`. */
  readonly watchBreakShare?: number;
  /** A watch ends after a batch with `CompactedError`. */
  readonly watchCompactedShare?: number;
  /** After a write, history is forgotten up to it. */
  readonly compactShare?: number;
}

/**
 * A store as one over an unreliable network is: it keeps the contract, and uses every freedom that the contract leaves
 * it. One seed gives one sequence of faults, as long as the calls come in one sequence.
 */
export class FaultyStore implements Store {
  readonly #inner: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  #faults: Faults;

  constructor(inner: Store, options: { readonly clock: Clock; readonly random: Random; readonly faults: Faults }) {
    this.#inner = inner;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#faults = options.faults;
  }

  /** From now on these faults; `{}` for none. */
  setFaults(faults: Faults): void {
    this.#faults = faults;
  }

  get driver(): string {
    return this.#inner.driver;
  }

  get clusterId(): string {
    return this.#inner.clusterId;
  }

  currentRevision(): Promise<Revision> {
    return this.#read(async () => this.#inner.currentRevision());
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#read(() => this.#inner.get(key));
  }

  list(prefix: string, options?: ListOptions): Promise<ListResult> {
    return this.#read(() => this.#inner.list(prefix, options));
  }

  compact(revision: Revision): Promise<void> {
    return this.#read(() => this.#inner.compact(revision));
  }

  compactedRevision(): Promise<Revision> {
    return this.#read(() => this.#inner.compactedRevision());
  }

  size(): Promise<{ totalBytes: number; usedBytes: number; keys: number }> {
    return this.#read(() => this.#inner.size());
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async write(write: Write): Promise<WriteResult> {
    const delay = this.#delay();
    if (delay) await delay;
    if (this.#chance('writeFailShare')) throw new StoreError('unavailable', 'this write failed by chance');
    if (this.#chance('writeMaybeShare')) {
      if (this.#random.next() < 0.5) await this.#inner.write(write);
      throw new StoreError('unavailable', 'the answer to this write was lost by chance', { outcome: 'maybe' });
    }
    const result = await this.#inner.write(write);
    if (this.#chance('compactShare')) await this.#inner.compact(await this.#inner.currentRevision());
    await this.#delay();
    return result;
  }

  async watch(prefix: string, after: Revision, handler: WatchHandler): Promise<Watch> {
    await this.#delay();
    this.#maybeFail();
    let open = true;
    const end = (reason: Error | undefined) => {
      if (!open) return;
      open = false;
      watch?.close();
      handler.ended(reason);
    };
    const watch = await this.#inner.watch(prefix, after, {
      events: (batch: readonly StoreEvent[]) => {
        if (!open) return;
        handler.events(batch);
        const last = batch.at(-1)?.revision ?? after;
        if (this.#chance('watchBreakShare')) end(new StoreError('unavailable', 'this watch broke by chance'));
        else if (this.#chance('watchCompactedShare')) end(new CompactedError(last, last + 1));
      },
      progress: (revision) => {
        if (open) handler.progress(revision);
      },
      ended: end,
    });
    if (!open) watch.close();
    return {
      close: () => {
        open = false;
        watch.close();
      },
    };
  }

  async #read<T>(call: () => Promise<T>): Promise<T> {
    const delay = this.#delay();
    if (delay) await delay;
    this.#maybeFail();
    const answer = await call();
    await this.#delay();
    return answer;
  }

  #maybeFail(): void {
    if (this.#chance('readFailShare')) throw new StoreError('unavailable', 'this read failed by chance');
  }

  /** Undefined where there is nothing to wait for: then the call goes on in the same turn, as without faults. */
  #delay(): Promise<void> | undefined {
    const { delayMsMax = 0 } = this.#faults;
    return delayMsMax > 0 ? this.#clock.sleep(this.#random.next() * delayMsMax) : undefined;
  }

  #chance(fault: Exclude<keyof Faults, 'delayMsMax'>): boolean {
    const share = this.#faults[fault] ?? 0;
    return share > 0 && this.#random.next() < share;
  }
}
