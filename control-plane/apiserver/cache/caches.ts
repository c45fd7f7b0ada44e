import { AssertionError } from '../../../libs/base/assert.ts';
import { backoffMs } from '../../../libs/base/backoff.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Documentation } from '../../../libs/kind/column.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import { compareKeys } from '../../store/keys.ts';
import {
  CompactedError,
  type Entry,
  type Revision,
  type Store,
  type StoreEvent,
  type Watch,
} from '../../store/store.ts';
import { ChunkHorizon } from './chunk-horizon.ts';
import type { RingLimits } from './event-ring.ts';
import { Forms } from './forms.ts';
import { REGISTRY_PREFIX, resourcePrefix, resourcePrefixOf } from './keys.ts';
import { ResourceCache, type ResourceCacheContext } from './resource-cache.ts';
import { JoinBudget } from './segments.ts';
import type { WatchLimits } from './watcher.ts';

export interface CachesOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of each resource. Default 4,096 events, 32 MiB. */
  readonly ring?: Partial<RingLimits>;
  /** Default: bookmarks each minute, 30 s for a reader that takes nothing. */
  readonly watch?: Partial<WatchLimits>;
  /** What lists kept joined may take in all. Default 256 MiB. */
  readonly joinedBytesMax?: number;
  /** What tables say of columns that show a documented field. */
  readonly documentation?: Documentation;
}

const MIB = 1024 * 1024;
/** Entries that are listed in one go at the start. */
const LIST_CHUNK = 2000;
const RETRY = { firstMs: 50, maxMs: 5000 } as const;

/**
 * The watch cache: every object of the store in memory, kept up to date by **one** watch on all of it, so all resources
 * share one revision. Reads that must not be stale wait with `fresh`, which costs nothing while the cache is current.
 *
 *     const caches = new Caches({ store, clock, log });
 *     caches.add(pods, schema);
 *     await caches.start();
 *     await caches.fresh();
 *     const page = await caches.resource(pods).list({ selection: selectionOf('default') });
 *
 * Kinds come and go at any time; what the store has of a kind that nobody knows yet is kept aside until it comes.
 * When the store's watch breaks off, it is taken up again where it stood. Where the store has forgotten what was in
 * between, everything is listed anew, and every watcher is ended with 410 so that its client does the same.
 */
export class Caches {
  readonly forms = new Forms();
  /** How long lists in chunks go on. */
  readonly chunks: ChunkHorizon;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #context: ResourceCacheContext;
  readonly #byPrefix = new Map<string, ResourceCache>();
  readonly #byKind = new Map<Kind, ResourceCache>();
  /** By kinds of the same resource that were not added themselves. */
  readonly #others = new WeakMap<Kind, ResourceCache>();
  /** Entries of resources without a kind. */
  readonly #unclaimed = new Map<string, Map<string, Entry>>();
  readonly #waiting = new Set<Waiting>();
  readonly #stopped = new AbortController();
  #revision: Revision = 0;
  #loaded = false;
  #synced = false;
  #watch: Watch | undefined;
  #asking: Promise<Revision> | undefined;
  #askingNext: Promise<Revision> | undefined;

  /** Where the words about fields are, for tables. */
  readonly documentation: Documentation | undefined;

  constructor(options: CachesOptions) {
    this.documentation = options.documentation;
    this.#store = options.store;
    this.#clock = options.clock;
    this.chunks = new ChunkHorizon(options.clock);
    this.#log = options.log;
    this.#context = {
      store: options.store,
      clock: options.clock,
      forms: this.forms,
      budget: new JoinBudget(options.joinedBytesMax ?? 256 * MIB),
      ring: { events: options.ring?.events ?? 4096, bytes: options.ring?.bytes ?? 32 * MIB },
      watch: { bookmarkMs: options.watch?.bookmarkMs ?? 60_000, slowReaderMs: options.watch?.slowReaderMs ?? 30_000 },
      ...(options.documentation ? { documentation: options.documentation } : {}),
      revision: () => this.#revision,
    };
  }

  /** The revision up to which the cache has seen everything. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Whether the first state is there, and the store's watch is up. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Whether there is a state to be read: the first list has come. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Takes the first state and follows from there. Rejects when the store cannot be read. */
  async start(): Promise<void> {
    await this.#listAll();
    await this.#follow();
  }

  /** Ends every watch cleanly. Idempotent. */
  stop(): void {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort(new Error('the cache has stopped'));
    this.#synced = false;
    this.#watch?.close();
    for (const cache of this.#byPrefix.values()) cache.endWatches();
    for (const waiting of this.#waiting) waiting.fail(this.#stopped.signal.reason);
    this.#waiting.clear();
  }

  /** Takes a kind in, or another definition of one that is there: then its watchers end, to start anew. */
  add(kind: Kind, schema: SchemaSet): ResourceCache {
    const prefix = resourcePrefix(kind);
    let cache = this.#byPrefix.get(prefix);
    if (cache) {
      this.#byKind.delete(cache.kind);
      cache.rewrite(kind, schema);
    } else {
      cache = new ResourceCache(prefix, kind, schema, this.#context);
      this.#byPrefix.set(prefix, cache);
      const entries = this.#unclaimed.get(prefix);
      this.#unclaimed.delete(prefix);
      if (entries) cache.load(inOrder(entries), this.#revision);
    }
    this.#byKind.set(kind, cache);
    return cache;
  }

  /** Lets a kind go; its watchers end. What the store still has of it is kept aside. */
  remove(kind: Kind): void {
    const cache = this.#byKind.get(kind);
    if (!cache) return;
    this.#byKind.delete(kind);
    this.#byPrefix.delete(cache.prefix);
    cache.endWatches();
    this.#setAside(cache.prefix, cache.entries());
  }

  /** The cache of a kind that was added. */
  resource(kind: Kind): ResourceCache {
    const cache = this.#byKind.get(kind) ?? this.#ofAnother(kind);
    if (!cache) throw new AssertionError(`${kind.kind} is not cached`);
    return cache;
  }

  /** The cache of a kind that was added as another object: with more subresources, in an earlier definition. */
  #ofAnother(kind: Kind): ResourceCache | undefined {
    const known = this.#others.get(kind);
    if (known && this.#byPrefix.get(known.prefix) === known) return known;
    const found = this.#byPrefix.get(resourcePrefix(kind));
    if (found) this.#others.set(kind, found);
    return found;
  }

  /**
   * Resolves once the cache shows everything that the store had acknowledged when this was called: what a consistent
   * read waits for. Gives that revision or a later one; where it need not wait, at once and without a look at the
   * signal. Rejects with `signal.reason`, or when the store cannot say.
   */
  fresh(ends?: { readonly signal: AbortSignal }): Promise<Revision> | Revision {
    const current = this.#currentRevision();
    if (current instanceof Promise) return current.then((revision) => this.#shows(revision, ends));
    return this.#shows(current, ends);
  }

  #shows(revision: Revision, ends: { readonly signal: AbortSignal } | undefined): Promise<Revision> | Revision {
    if (this.#loaded && this.#revision >= revision) return this.#revision;
    return this.reached(revision, ends?.signal).then(() => this.#revision);
  }

  /** Resolves once the cache has seen `revision` (0: once it has any state). Rejects with `signal.reason`. */
  reached(revision: Revision, signal?: AbortSignal): Promise<void> {
    if (this.#loaded && this.#revision >= revision) return DONE;
    if (this.#stopped.signal.aborted) return Promise.reject(this.#stopped.signal.reason);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const end = () => {
        signal?.removeEventListener('abort', abort);
        this.#waiting.delete(waiting);
      };
      const abort = () => waiting.fail(signal?.reason);
      const waiting: Waiting = {
        revision,
        done: () => (end(), resolve()),
        fail: (reason) => (end(), reject(reason)),
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.add(waiting);
    });
  }

  /**
   * Asks the store for its revision. Questions that come while one is under way share the next: the answer to the one
   * under way may be older than what they must see.
   */
  #currentRevision(): Promise<Revision> | Revision {
    if (!this.#asking) return this.#ask();
    const again = () => {
      this.#askingNext = undefined;
      return this.#ask();
    };
    this.#askingNext ??= this.#asking.then(again, again);
    return this.#askingNext;
  }

  #ask(): Promise<Revision> | Revision {
    const asked = this.#store.currentRevision();
    if (!(asked instanceof Promise)) return asked;
    this.#asking = asked;
    const answered = () => {
      if (this.#asking === asked) this.#asking = undefined;
    };
    asked.then(answered, answered);
    return asked;
  }

  async #listAll(): Promise<void> {
    const byPrefix = new Map<string, Entry[]>();
    let revision: Revision | undefined;
    for (let after: string | undefined; ; ) {
      const { entries, ...chunk } = await this.#store.list(REGISTRY_PREFIX, { after, limit: LIST_CHUNK, revision });
      revision ??= chunk.revision;
      // In the order of keys, so those of one resource stand together.
      let prefix: string | undefined;
      let group: Entry[] = [];
      for (let at = 0; at < entries.length; at++) {
        const entry = entries[at] as Entry;
        if (prefix === undefined || !entry.key.startsWith(prefix)) {
          prefix = resourcePrefixOf(entry.key);
          if (prefix === undefined) continue;
          group = byPrefix.get(prefix) ?? [];
          byPrefix.set(prefix, group);
        }
        group.push(entry);
      }
      after = entries.at(-1)?.key;
      if (!chunk.more || after === undefined) break;
      await this.#clock.yield();
    }
    this.#revision = revision;
    for (const cache of this.#byPrefix.values()) cache.load(byPrefix.get(cache.prefix) ?? NO_ENTRIES, revision);
    this.#loaded = true;
    this.#unclaimed.clear();
    for (const [prefix, entries] of byPrefix) if (!this.#byPrefix.has(prefix)) this.#setAside(prefix, entries);
  }

  async #follow(): Promise<void> {
    const watch = await this.#store.watch(REGISTRY_PREFIX, this.#revision, {
      events: (batch) => this.#apply(batch),
      progress: (revision) => this.#advance(revision),
      ended: (reason) => this.#ended(reason),
    });
    if (this.#stopped.signal.aborted) return watch.close();
    this.#watch = watch;
    this.#synced = true;
    this.#advance(this.#revision);
  }

  #apply(batch: readonly StoreEvent[]): void {
    for (const event of batch) {
      const prefix = resourcePrefixOf(event.key);
      const cache = prefix === undefined ? undefined : this.#byPrefix.get(prefix);
      const told = cache?.apply(event);
      if (!cache && prefix !== undefined) this.#applyAside(prefix, event);
      // Before watchers are told: a bookmark or a list that they cause belongs to the state with this event.
      this.#revision = event.revision;
      if (cache && told) cache.dispatch(told);
    }
  }

  #advance(revision: Revision): void {
    if (revision > this.#revision) this.#revision = revision;
    for (const waiting of this.#waiting) if (waiting.revision <= this.#revision) waiting.done();
  }

  #ended(reason: Error | undefined): void {
    this.#watch = undefined;
    this.#synced = false;
    if (reason === undefined) this.stop();
    else void this.#recover(reason);
  }

  /** Takes the watch up again, or starts anew, until it works. */
  async #recover(reason: Error): Promise<void> {
    for (let failures = 0; !this.#stopped.signal.aborted; failures++) {
      try {
        if (reason instanceof CompactedError) {
          this.#log.warn('the store has forgotten what the cache has not seen: listing everything anew', {
            error: reason,
          });
          for (const cache of this.#byPrefix.values()) cache.endWatches(reason);
          await this.#listAll();
        }
        await this.#follow();
        return;
      } catch (error) {
        reason = error instanceof Error ? error : new Error(String(error));
        this.#log.warn('the store cannot be watched', { error: reason });
        await this.#clock.sleep(backoffMs(RETRY, failures), this.#stopped.signal).catch(() => {});
      }
    }
  }

  #setAside(prefix: string, entries: readonly Entry[]): void {
    if (entries.length > 0) this.#unclaimed.set(prefix, new Map(entries.map((entry) => [entry.key, entry])));
  }

  #applyAside(prefix: string, { key, entry }: StoreEvent): void {
    const entries = this.#unclaimed.get(prefix) ?? new Map<string, Entry>();
    if (entry) this.#unclaimed.set(prefix, entries.set(key, entry));
    else if (entries.delete(key) && entries.size === 0) this.#unclaimed.delete(prefix);
  }
}

interface Waiting {
  readonly revision: Revision;
  done(): void;
  fail(reason: unknown): void;
}

const DONE = Promise.resolve();
const NO_ENTRIES: readonly Entry[] = Object.freeze([]);

function inOrder(entries: ReadonlyMap<string, Entry>): Entry[] {
  return [...entries.values()].sort((a, b) => compareKeys(a.key, b.key));
}
