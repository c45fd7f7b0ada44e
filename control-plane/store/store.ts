/**
 * The store: an ordered map from key to bytes with one revision for all, that can be watched. Only the API server
 * touches it. Drivers: `memory` (tests, simulation), `lmdb` (embedded, durable), `etcd` (distributed).
 * All of them pass the same suite, `conformance/`.
 *
 * ## Revisions
 * Every committed write takes the next revision, one for the whole store, starting after 1 (an empty store is at
 * revision 1). An entry remembers the revision that made it and the one that last changed it. A revision is never used
 * twice once anybody could have seen it, also not after a crash.
 *
 * ## Writes
 * `write` puts or deletes one key under a precondition. Preconditions are checked against the **pending head**: the
 * state after all writes that were accepted before, durable or not. So of two writers that expect the same revision
 * exactly one wins, without waiting for the disk. A write whose precondition fails answers at once with what it met,
 * but only after that is durable itself: nobody is told of state that a crash could undo.
 *
 * Writes that arrive while a commit is in flight share the next commit. The promise of a write resolves when it is
 * durable (fsync'd; on etcd: acknowledged by a quorum), never before. If a commit fails (full disk, lost leader), every
 * write in it is rejected with `StoreError`, the pending head falls back to the durable state, and writes that had
 * built upon the failed ones are rejected too. Reads go on. After a `maybe` (the connection broke after the request
 * was sent) nobody knows whether the write happened; `StoreError.outcome` says so.
 *
 * ## Reads
 * `get`, `list` and watches show durable state only, and they agree: when a write has been acknowledged, every later
 * `get` and `list` shows it, and a watcher is told of it before or at the time when its writer is answered, never
 * later than one turn of the event loop after. (On etcd a write waits for its event for a second; while the stream of
 * events is broken, it is answered without.) `list` is a snapshot of one revision.
 *
 * ## Values
 * A value is the JSON of an object, which carries its own revision in `metadata.resourceVersion`. The embedded drivers
 * know the revision before they write, etcd only afterwards; so a writer hands in the text in two pieces, `head` and
 * `tail`, between which the store writes the revision's decimal digits:
 *
 *     head  {"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","uid":"…","resourceVersion":"
 *     tail  ","creationTimestamp":"…"},"data":{"k":"v"}}
 *
 * What `get`, `list` and watches give back is always the joined text. The bytes belong to the store: readers must not
 * change them and may keep them.
 *
 * ## Keys
 * Keys begin with `/`, are well-formed text and have at most 1,900 bytes of UTF-8, by whose order they are listed.
 *
 * ## Watches
 * `watch` tells every write to keys with a prefix, in order of revision, each exactly once, without gaps, with the
 * entry before it. It starts after a revision that the caller names. History is kept within a bound, across restarts;
 * from a revision older than that, `watch` throws `CompactedError`, and a watch that falls behind the bound ends with
 * one. Several writes of one commit come in one batch. Handlers are called synchronously and must be quick: the
 * consumer buffers, the store does not. They may be called before the promise of `watch` has resolved, and never after
 * `Watch.close` has returned.
 *
 * `progress` reaches every revision that the store has: embedded stores tell it with each commit. etcd is asked for it
 * when somebody needs to know: once `currentRevision` has answered, every watch is told progress up to there, as soon
 * as it can be. A watch from a revision that is still to come tells what comes after that.
 *
 * ## Worked example
 *
 *     const made = await store.write({ key: '/registry/configmaps/default/a', expect: 'absent', value: draft });
 *     // made = { ok: true, entry: { revision: 7, createRevision: 7, … } }
 *     const late = await store.write({ key: made.entry.key, expect: 3, value: draft });
 *     // late = { ok: false, actual: { revision: 7, … } }         nothing was written
 *     const gone = await store.write({ key: made.entry.key, expect: 7, value: undefined });
 *     // gone = { ok: true, revision: 8, entry: undefined, previous: { revision: 7, … } }
 */

/** 1 and up; below 2^53. Written in decimal it is the object's `resourceVersion`. */
export type Revision = number;

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The write that made the key, since it was last deleted. */
  readonly createRevision: Revision;
  /** The write that last changed it; stands in the value as `resourceVersion`. */
  readonly revision: Revision;
  /**
   * What the writer handed in as `Draft.companion`, where driver and process still have it: the parsed object, so that
   * a watcher in the same process need not parse the value again. Never persisted, never required.
   */
  readonly companion?: unknown;
}

/** A value that does not know its revision yet. `head` and `tail` are kept, not copied. */
export interface Draft {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Called at most once, with the revision that the value got, when a driver can carry companions. */
  companion?(revision: Revision): unknown;
}

export interface Write {
  readonly key: string;
  /** The new value, or undefined to delete the key. */
  readonly value: Draft | undefined;
  /** `absent`: the key must not exist; a revision: it must have just that; `any`: no condition. */
  readonly expect: 'absent' | 'any' | Revision;
  /**
   * The key disappears by itself this long after the write, as a deletion that watchers see, with a revision of its own.
   * Within 10 s of accuracy; on etcd the time may begin anew when its leader changes.
   */
  readonly expireAfterSeconds?: number;
}

export type WriteResult =
  | {
      readonly ok: true;
      /** The write's own revision; for a deletion, that of the deletion. Deleting what is not there changes nothing: the present revision. */
      readonly revision: Revision;
      readonly entry: Entry | undefined;
      readonly previous: Entry | undefined;
    }
  /** The precondition failed; `actual` is the durable entry that was met. */
  | { readonly ok: false; readonly actual: Entry | undefined };

export interface ListOptions {
  /** Only keys strictly after this one. */
  readonly after?: string;
  /** At most this many entries; 0 or undefined: all. */
  readonly limit?: number;
  /** The state as it was at a revision within history; undefined: now. Throws `CompactedError`, or `FutureRevisionError`. */
  readonly revision?: Revision;
}

export interface ListResult {
  /** By key, bytewise. */
  readonly entries: readonly Entry[];
  /** The revision of the snapshot. */
  readonly revision: Revision;
  /** There are more keys than `limit` let through. */
  readonly more: boolean;
  /** How many keys of the prefix come after the last one of `entries`. */
  readonly remaining: number;
}

export interface StoreEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly revision: Revision;
  /** After the write; undefined for a deletion. */
  readonly entry: Entry | undefined;
  /** Before the write; undefined when the key was made. */
  readonly previous: Entry | undefined;
}

export interface WatchHandler {
  /** Events of one or more commits, in order; never empty. */
  events(batch: readonly StoreEvent[]): void;
  /** Everything up to `revision` has been told: what bookmarks are made of. Comes at least after every batch. */
  progress(revision: Revision): void;
  /** The watch has ended and will not go on: `CompactedError`, `StoreError`, or undefined when the store was closed. */
  ended(reason: Error | undefined): void;
}

export interface Watch {
  /** No call of the handler after this returned. Idempotent. */
  close(): void;
}

export interface Store {
  /** `memory`, `lmdb` or `etcd`. */
  readonly driver: string;
  /** Made once with the data, and the same for all servers that share them. */
  readonly clusterId: string;

  /** The latest durable revision. On etcd a linearized read; embedded stores know it at once. */
  currentRevision(): Promise<Revision> | Revision;
  get(key: string): Promise<Entry | undefined>;
  list(prefix: string, options?: ListOptions): Promise<ListResult>;
  /** Never throws for a failed precondition; `StoreError` when the write was not, or may not have been, done. */
  write(write: Write): Promise<WriteResult>;
  /** Watches keys that begin with `prefix`, telling every write after `after`. */
  watch(prefix: string, after: Revision, handler: WatchHandler): Promise<Watch>;

  /** History grows until `compact` is called (etcd); other stores keep it within a bound by themselves. */
  readonly growsUntilCompacted?: true;
  /** Forgets history up to and including `revision`; live entries stay. */
  compact(revision: Revision): Promise<void>;
  /** The oldest revision from which `watch` and `list` can still start. */
  compactedRevision(): Promise<Revision>;

  /** Bytes on disk (or held), for metrics and status. */
  size(): Promise<{ readonly totalBytes: number; readonly usedBytes: number; readonly keys: number }>;
  /** Finishes the commit in flight, refuses new writes, ends watches with undefined. Idempotent. */
  close(): Promise<void>;
}

/** The store could not do it. `outcome` says whether a write may have happened all the same. */
export class StoreError extends Error {
  readonly outcome: 'no' | 'maybe';
  readonly reason: StoreErrorReason;
  constructor(reason: StoreErrorReason, message: string, options?: { outcome?: 'no' | 'maybe'; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StoreError';
    this.reason = reason;
    this.outcome = options?.outcome ?? 'no';
  }
}

export type StoreErrorReason =
  | 'closed'
  | 'no space'
  | 'unavailable'
  | 'timeout'
  | 'too large'
  | 'corrupt'
  | 'wrong format';

/** History before `compactedRevision` is gone: 410 Expired on the API. */
export class CompactedError extends Error {
  readonly requested: Revision;
  readonly compactedRevision: Revision;
  constructor(requested: Revision, compactedRevision: Revision) {
    super(`revision ${requested} is compacted; history begins after ${compactedRevision}`);
    this.name = 'CompactedError';
    this.requested = requested;
    this.compactedRevision = compactedRevision;
  }
}

/** A revision that the store has not reached. */
export class FutureRevisionError extends Error {
  readonly requested: Revision;
  readonly current: Revision;
  constructor(requested: Revision, current: Revision) {
    super(`revision ${requested} is ahead of the store, which is at ${current}`);
    this.name = 'FutureRevisionError';
    this.requested = requested;
    this.current = current;
  }
}

/**
 * A draft in one piece, with room for a revision between its head and its tail: where a revision fills the room, nothing
 * has to be copied. Who makes it does not know the revision, but how many digits it will most likely have.
 */
export class WholeDraft implements Draft {
  readonly companion: (revision: Revision) => unknown;
  readonly #bytes: Uint8Array;
  readonly #at: number;
  readonly #room: number;
  #taken = false;

  /** `bytes` are given away; the room are the `room` bytes from `at` on. */
  constructor(bytes: Uint8Array, at: number, room: number, companion: (revision: Revision) => unknown) {
    this.#bytes = bytes;
    this.#at = at;
    this.#room = room;
    this.companion = companion;
  }

  get head(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  get tail(): Uint8Array {
    return this.#bytes.subarray(this.#at + this.#room);
  }

  /** Of head and tail. */
  get length(): number {
    return this.#bytes.length - this.#room;
  }

  /** The piece itself with these digits in it: once, and if they fit. */
  take(digits: string): Uint8Array | undefined {
    if (this.#taken || digits.length !== this.#room) return undefined;
    this.#taken = true;
    writeDigits(this.#bytes, this.#at, digits);
    return this.#bytes;
  }
}

/** Of head and tail together. */
export function draftBytes(draft: Draft): number {
  return draft instanceof WholeDraft ? draft.length : draft.head.length + draft.tail.length;
}

function writeDigits(bytes: Uint8Array, at: number, digits: string): void {
  for (let i = 0; i < digits.length; i++) bytes[at + i] = digits.charCodeAt(i);
}

/** The value as it is stored, with its revision in place. */
export function joinDraft(draft: Draft, revision: Revision): Uint8Array {
  const digits = String(revision);
  const whole = draft instanceof WholeDraft ? draft.take(digits) : undefined;
  if (whole) return whole;
  const { head, tail } = draft;
  const value = new Uint8Array(head.length + digits.length + tail.length);
  value.set(head);
  writeDigits(value, head.length, digits);
  value.set(tail, head.length + digits.length);
  return value;
}
