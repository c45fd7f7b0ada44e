import type { Entry, ListOptions, ListResult, Revision, StoreEvent } from '../store.ts';

/**
 * What an embedded driver gives to `EmbeddedStore`: a durable state that can be read synchronously, and a way to move it
 * on. Everything about preconditions, the pending head, group commit, watches and expiry is in `EmbeddedStore`, once.
 *
 * A commit has two steps. `persist` makes changes durable without showing them; `show` then lets `get`, `list` and
 * `history` see them, synchronously, so that the state, the watchers and the writers' answers move in one turn.
 */
export interface Engine {
  readonly driver: string;
  readonly clusterId: string;
  /** The revision of the state that is shown. */
  readonly revision: Revision;
  readonly compactedRevision: Revision;

  /** The shown state. Throws `StoreError` when it cannot be read. */
  get(key: string): StoredEntry | undefined;
  /** A snapshot of the state shown when it was called, also when it takes several turns. */
  list(prefix: string, options: ListOptions): Promise<ListResult>;
  /**
   * Events after `after`, oldest first, of keys with the prefix. Looks at a bounded number of revisions: `upTo` is the
   * last one that was looked at, at most `revision`, always more than `after` where `after < revision`.
   * Throws `CompactedError` when `after` is older than history.
   */
  history(prefix: string, after: Revision): { readonly events: readonly StoreEvent[]; readonly upTo: Revision };

  /**
   * Makes the changes durable, all or none. They follow one another without gap from the last persisted revision, except
   * after a commit of unknown outcome. Never called again before it has settled and, if it succeeded, `show` was called.
   * Rejects with `StoreError`; `outcome: 'no'` promises that nothing of it will ever be seen.
   */
  persist(changes: readonly Change[]): Promise<void>;
  /** Shows what `persist` made durable. Must not throw. */
  show(changes: readonly Change[]): void;

  /** Forgets history up to and including `revision`, which lies between `compactedRevision` and `revision`. */
  compact(revision: Revision): Promise<void>;

  /** The earliest expiry of the shown state in milliseconds of `Clock.now`. */
  nextExpiryMs(): number | undefined;
  /** At most `limit` keys of the shown state that have expired at `nowMs`, earliest first. */
  expired(nowMs: number, limit: number): readonly { readonly key: string; readonly revision: Revision }[];

  size(): Promise<{ readonly totalBytes: number; readonly usedBytes: number; readonly keys: number }>;
  /** Called once, when nothing else is under way. */
  close(): Promise<void>;
}

/** An entry as the embedded drivers keep it. */
export interface StoredEntry extends Entry {
  /** When the key disappears by itself, in milliseconds of `Clock.now`; 0: never. */
  readonly expiresAtMs: number;
}

/** An event that is to become durable. */
export interface Change extends StoreEvent {
  readonly entry: StoredEntry | undefined;
  readonly previous: StoredEntry | undefined;
}

/**
 * Stands between the accepted writes and the engine that makes them durable, for tests and simulations that want commits
 * to take time or to fail. Without one, `persist` is called at once.
 */
export interface CommitGate {
  /** Calls `persist` and passes on its outcome, or rejects with `StoreError` without having called it. */
  commit(changes: readonly Change[], persist: () => Promise<void>): Promise<void>;
}
