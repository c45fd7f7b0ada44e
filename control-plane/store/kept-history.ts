import type { Revision, Store } from './store.ts';

/** How far back a store can be asked: `list({ revision })` and `watch` work from `firstRevision` on. */
export interface HistoryBounds {
  readonly firstRevision: Revision;
  readonly lastRevision: Revision;
  /** Wall time of the oldest commit whose time is known, in milliseconds; undefined: of none. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** Bytes of values that nothing but history holds, and how many it may hold. */
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** A store that remembers when it was written to, so that its history can be asked by time. */
export interface KeptHistory {
  bounds(): HistoryBounds;
  /** The last revision that was there at a time; undefined where that was before anything that is remembered. */
  revisionAt(timeMs: number): Revision | undefined;
  /** When a revision was written; undefined where that is not remembered. */
  timeOf(revision: Revision): number | undefined;
}

/** A store with its history. */
export interface StoreWithHistory extends Store {
  readonly history: KeptHistory;
}
