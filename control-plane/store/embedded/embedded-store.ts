import { assert } from '../../../libs/base/assert.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import {
  type Draft,
  draftBytes,
  type Entry,
  FutureRevisionError,
  joinDraft,
  type ListOptions,
  type ListResult,
  type Revision,
  type Store,
  StoreError,
  type Watch,
  type WatchHandler,
  type Write,
  type WriteResult,
} from '../store.ts';
import type { Change, CommitGate, Engine, StoredEntry } from './engine.ts';
import { Expirer } from './expirer.ts';
import { WatchHub } from './watch-hub.ts';

export interface EmbeddedOptions {
  /** Default: none. */
  readonly gate?: CommitGate;
  /** Bytes of one value; a larger one is refused as `too large`. Default 1.5 MiB, which is etcd's. */
  readonly valueBytesMax?: number;
  /** UTF-8 bytes of a key; a longer one is refused as `too large`. Default 1,900, the longest that LMDB takes. */
  readonly keyBytesMax?: number;
  /** Writes that share one commit, and are prepared in one turn of the event loop. Default 512. */
  readonly commitWritesMax?: number;
  /** Bytes that share one commit. Default 16 MiB. */
  readonly commitBytesMax?: number;
  /** Writes that may wait for a commit; more are refused as `unavailable`. Default 65,536. */
  readonly pendingWritesMax?: number;
  /** Bytes of values that may wait for a commit. Default 256 MiB. */
  readonly pendingBytesMax?: number;
}

/** A class, as a store that is filled has written many that stay: of literals V8 would make all later ones old. */
class DraftedEntry implements StoredEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly revision: Revision;
  readonly companion: StoredEntry['companion'];
  readonly expiresAtMs: number;

  constructor(
    key: string,
    value: Uint8Array,
    createRevision: Revision,
    revision: Revision,
    companion: StoredEntry['companion'],
    expiresAtMs: number,
  ) {
    this.key = key;
    this.value = value;
    this.createRevision = createRevision;
    this.revision = revision;
    this.companion = companion;
    this.expiresAtMs = expiresAtMs;
  }
}

/** A class for the same reason: it sees what was written. */
class AcceptedChange implements Change {
  readonly type: Change['type'];
  readonly key: string;
  readonly revision: Revision;
  readonly entry: StoredEntry | undefined;
  readonly previous: StoredEntry | undefined;

  constructor(key: string, revision: Revision, entry: StoredEntry | undefined, previous: StoredEntry | undefined) {
    this.type = entry ? 'put' : 'delete';
    this.key = key;
    this.revision = revision;
    this.entry = entry;
    this.previous = previous;
  }
}

/**
 * The part of the store's contract that does not depend on where the bytes are: preconditions against the pending head,
 * group commit, answers in order, watches, expiry, close. `Engine` has the bytes.
 *
 * The pending head is the engine's state with the heads of `#groups` laid over it, the latest on top: for each key that
 * an unfinished commit touches, what the last accepted write made of it. Groups are committed one after the other; the
 * first in `#groups` is in flight while `#committing`. When a commit fails, everything that was laid over the engine's
 * state goes, together with every write that waits, because it may have been decided upon state that never came to be.
 */
export class EmbeddedStore implements Store {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #hub: WatchHub;
  readonly #expirer: Expirer;
  readonly #gate: CommitGate | undefined;
  readonly #limits: Required<Omit<EmbeddedOptions, 'gate'>>;
  #groups: Group[] = [];
  #waitingWrites = 0;
  #waitingBytes = 0;
  readonly #firstRevision: Revision;
  #headRevision: Revision;
  #committing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(engine: Engine, clock: Clock, options: EmbeddedOptions = {}) {
    this.#gate = options.gate;
    this.#engine = engine;
    this.#clock = clock;
    this.#firstRevision = this.#headRevision = engine.revision;
    this.#hub = new WatchHub(engine, clock);
    this.#expirer = new Expirer(engine, clock, (key, revision) =>
      this.write({ key, value: undefined, expect: revision }),
    );
    this.#limits = {
      valueBytesMax: options.valueBytesMax ?? 1536 * 1024,
      keyBytesMax: options.keyBytesMax ?? 1900,
      commitWritesMax: options.commitWritesMax ?? 512,
      commitBytesMax: options.commitBytesMax ?? 16 * 1024 * 1024,
      pendingWritesMax: options.pendingWritesMax ?? 65_536,
      pendingBytesMax: options.pendingBytesMax ?? 256 * 1024 * 1024,
    };
  }

  get driver(): string {
    return this.#engine.driver;
  }

  get clusterId(): string {
    return this.#engine.clusterId;
  }

  /** Begins to delete what has expired, also while the store was closed. */
  start(): void {
    this.#expirer.arm();
  }

  currentRevision(): Promise<Revision> | Revision {
    return this.#closing ? Promise.reject(isClosed()) : this.#engine.revision;
  }

  async compactedRevision(): Promise<Revision> {
    this.#mustBeOpen();
    return this.#engine.compactedRevision;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#mustBeOpen();
    return this.#engine.get(key);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.#mustBeOpen();
    if (options.revision !== undefined) this.#mustHaveReached(options.revision);
    return this.#engine.list(prefix, options);
  }

  async watch(prefix: string, after: Revision, handler: WatchHandler): Promise<Watch> {
    this.#mustBeOpen();
    return this.#hub.add(prefix, after, handler);
  }

  async compact(revision: Revision): Promise<void> {
    this.#mustBeOpen();
    this.#mustHaveReached(revision);
    if (revision > this.#engine.compactedRevision) await this.#engine.compact(revision);
  }

  async size(): Promise<{ totalBytes: number; usedBytes: number; keys: number }> {
    this.#mustBeOpen();
    return this.#engine.size();
  }

  write(write: Write): Promise<WriteResult> {
    try {
      return this.#write(write);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #write(write: Write): Promise<WriteResult> {
    this.#mustBeOpen();
    const { key, expect, value } = write;
    this.#checkKey(key);
    const pending = this.#pendingOf(key);
    const head = pending ? pending.heads.get(key) : this.#engine.get(key);
    const met = expect === 'any' || (expect === 'absent' ? head === undefined : head?.revision === expect);
    if (!met) return this.#whenDurable(pending, () => ({ ok: false, actual: head }));
    if (value === undefined && head === undefined) {
      const present = () =>
        ({ ok: true, revision: this.#engine.revision, entry: undefined, previous: undefined }) as const;
      return this.#whenDurable(pending, present);
    }
    return this.#accept(write, value && this.#checkSize(value), head);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#expirer.stop();
    await this.#committing;
    this.#hub.end(undefined);
    await this.#engine.close();
  }

  /** Lays the write over the pending head; resolves when its commit is durable. */
  #accept(write: Write, value: Draft | undefined, previous: StoredEntry | undefined): Promise<WriteResult> {
    const { key } = write;
    const { pendingWritesMax, pendingBytesMax } = this.#limits;
    if (this.#waitingWrites >= pendingWritesMax || this.#waitingBytes >= pendingBytesMax) {
      const waiting = `${this.#waitingWrites} writes with ${this.#waitingBytes} bytes`;
      throw new StoreError('unavailable', `${waiting} wait for the disk already`);
    }
    const revision = ++this.#headRevision;
    const entry = value && this.#makeEntry(write, value, revision, previous);
    const change = new AcceptedChange(key, revision, entry, previous);
    const group = this.#gather(entry?.value.length ?? 0);
    group.heads.set(key, entry);
    this.#waitingWrites++;
    this.#waitingBytes += entry?.value.length ?? 0;
    group.changes.push(change);
    const answer = new Promise<WriteResult>((resolve, reject) => {
      group.answers.push({ resolve, reject, result: () => ({ ok: true, revision, entry, previous }) });
    });
    this.#committing ??= this.#commitAll();
    return answer;
  }

  /** The last of the unfinished groups that changes this key. */
  #pendingOf(key: string): Group | undefined {
    for (let i = this.#groups.length - 1; i >= 0; i--) {
      const group = this.#groups[i] as Group;
      if (group.heads.has(key)) return group;
    }
    return undefined;
  }

  #makeEntry(write: Write, draft: Draft, revision: Revision, previous: StoredEntry | undefined): StoredEntry {
    const { key, expireAfterSeconds } = write;
    const createRevision = previous?.createRevision ?? revision;
    const expiresAtMs = expireAfterSeconds === undefined ? 0 : Math.ceil(this.#clock.now() + expireAfterSeconds * 1000);
    const companion = draft.companion?.(revision);
    return new DraftedEntry(key, joinDraft(draft, revision), createRevision, revision, companion, expiresAtMs);
  }

  /** The group that the next change goes into: the last one, unless that is in flight or full. */
  #gather(bytes: number): Group {
    const last = this.#groups.at(-1);
    const { commitWritesMax, commitBytesMax } = this.#limits;
    if (last && !last.inFlight && last.changes.length < commitWritesMax && last.bytes + bytes <= commitBytesMax) {
      last.bytes += bytes;
      return last;
    }
    const group: Group = { changes: [], heads: new Map(), answers: [], bytes, inFlight: false };
    this.#groups.push(group);
    return group;
  }

  async #commitAll(): Promise<void> {
    // Writes of the same synchronous run share the first commit.
    await undefined;
    for (let group = this.#groups[0]; group !== undefined; group = this.#groups[0]) {
      group.inFlight = true;
      try {
        await this.#persist(group.changes);
      } catch (error) {
        this.#fail(error);
        continue;
      }
      this.#groups.shift();
      this.#finish(group);
    }
    this.#committing = undefined;
  }

  #persist(changes: readonly Change[]): Promise<void> {
    const persist = () => this.#engine.persist(changes);
    return this.#gate ? this.#gate.commit(changes, persist) : persist();
  }

  #finish(group: Group): void {
    const { changes, answers } = group;
    this.#waitingWrites -= changes.length;
    this.#waitingBytes -= group.bytes;
    this.#engine.show(changes);
    this.#hub.tell(changes, this.#engine.revision);
    for (const answer of answers) answer.resolve(answer.result());
    this.#dropCompanions(changes);
    let nextExpiryMs = Number.POSITIVE_INFINITY;
    for (const { entry } of changes) {
      if (entry && entry.expiresAtMs > 0) nextExpiryMs = Math.min(nextExpiryMs, entry.expiresAtMs);
    }
    if (nextExpiryMs < Number.POSITIVE_INFINITY) this.#expirer.arm(nextExpiryMs);
  }

  /**
   * Parsed objects are many times their bytes. Those that are history, or soon gone by themselves, are parsed again should
   * anybody ask; those from before this store began are shared with others that go on from the same snapshot.
   */
  #dropCompanions(changes: readonly Change[]): void {
    for (const { entry, previous } of changes) {
      if (previous && previous.revision > this.#firstRevision) drop(previous);
      if (entry && entry.expiresAtMs > 0) drop(entry);
    }
  }

  #fail(error: unknown): void {
    const failed = this.#groups;
    this.#groups = [];
    this.#waitingWrites = 0;
    this.#waitingBytes = 0;
    const reason =
      error instanceof StoreError ? error : new StoreError('unavailable', 'the commit failed', { cause: error });
    // What may be on disk all the same keeps its revisions; else nobody can have seen them.
    if (reason.outcome === 'no') this.#headRevision = this.#engine.revision;
    for (const group of failed) {
      const own = group.inFlight ? reason : new StoreError(reason.reason, reason.message, { cause: reason });
      for (const answer of group.answers) answer.reject(own);
    }
  }

  /** Answers now, or after the commit that made what was met; fails when that fails. */
  #whenDurable(met: Group | undefined, result: () => WriteResult): Promise<WriteResult> {
    if (met === undefined) return Promise.resolve(result());
    return new Promise((resolve, reject) => met.answers.push({ resolve, reject, result }));
  }

  #checkKey(key: string): void {
    assert(key.startsWith('/') && key.isWellFormed(), 'a key is well-formed text and begins with /');
    // No character takes more than three bytes per UTF-16 unit.
    const { keyBytesMax } = this.#limits;
    if (key.length * 3 > keyBytesMax && encoder.encode(key).length > keyBytesMax) {
      throw new StoreError('too large', `a key of ${key.length} characters has more than ${keyBytesMax} bytes`);
    }
  }

  #checkSize(draft: Draft): Draft {
    const bytes = draftBytes(draft);
    if (bytes > this.#limits.valueBytesMax) {
      throw new StoreError(
        'too large',
        `${bytes} bytes are more than the ${this.#limits.valueBytesMax} that the store takes`,
      );
    }
    return draft;
  }

  #mustHaveReached(revision: Revision): void {
    if (revision > this.#engine.revision) throw new FutureRevisionError(revision, this.#engine.revision);
  }

  #mustBeOpen(): void {
    if (this.#closing) throw isClosed();
  }
}

const isClosed = () => new StoreError('closed', 'the store is closed');

const encoder = new TextEncoder();

function drop(entry: { companion?: unknown }): void {
  if (entry.companion !== undefined) entry.companion = undefined;
}

interface Group {
  readonly changes: Change[];
  /**
   * What its last write of each key makes of it. A map of its own, which goes with the group: one that lives long, while
   * what is in it comes and goes, keeps in each table that it has outgrown what was in that.
   */
  readonly heads: Map<string, StoredEntry | undefined>;
  /** Of the writes in the group, and of those that wait to be told what they met in it. */
  readonly answers: Answer[];
  bytes: number;
  inFlight: boolean;
}

interface Answer {
  readonly result: () => WriteResult;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (reason: Error) => void;
}
