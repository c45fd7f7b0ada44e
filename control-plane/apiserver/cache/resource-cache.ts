import { AssertionError } from '../../../libs/base/assert.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Documentation } from '../../../libs/kind/column.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import { failure, statusOf } from '../../../libs/machinery/errors.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import { CompactedError, type Entry, type Revision, type Store, type StoreEvent } from '../../store/store.ts';
import type { WatchFrame, WatchSink } from '../api.ts';
import { CachedObject } from './cached-object.ts';
import type { Form } from './encoded.ts';
import { CacheEvent, EventRing, type RingLimits } from './event-ring.ts';
import { FieldIndexes } from './field-indexes.ts';
import type { Forms } from './forms.ts';
import { ValueFrame } from './frames.ts';
import { readHistory } from './history.ts';
import { splitKey } from './keys.ts';
import { type ListMetadata, ListWriter } from './list-writer.ts';
import { ObjectWriter } from './object-writer.ts';
import { countOf, type JoinBudget, OrderedObjects, objectsOf, type Slice, slicesOf } from './segments.ts';
import { type Selection, selects, selectsAll } from './selection.ts';
import type { WatchLimits, WatchOptions, WatchSource } from './watcher.ts';
import { Watchers } from './watchers.ts';

/** Says that a watch has told the state that it began with. */
const INITIAL_EVENTS_END = Object.freeze({ 'k8s.io/initial-events-end': 'true' });

export interface ListQuery {
  readonly selection: Selection;
  /** Only keys strictly after this one (of the store: `objectKey`). */
  readonly after?: string;
  /** 0 or undefined: all. */
  readonly limit?: number;
}

/** A part of a list, as it was when it was taken. */
export class ListPage {
  /** Of the state that it shows. */
  readonly revision: Revision;
  /** There are more objects than `limit` let through. */
  readonly more: boolean;
  /** How many come after the last one; undefined where a selector would have to be asked. */
  readonly remaining: number | undefined;
  readonly length: number;
  readonly #slices: readonly Slice[];
  readonly #writer: ListWriter;

  constructor(
    writer: ListWriter,
    slices: readonly Slice[],
    page: { readonly revision: Revision; readonly more: boolean; readonly remaining: number | undefined },
  ) {
    this.#writer = writer;
    this.#slices = slices;
    this.length = countOf(slices);
    this.revision = page.revision;
    this.more = page.more;
    this.remaining = page.remaining;
  }

  objects(): readonly CachedObject[] {
    return objectsOf(this.#slices);
  }

  /** The same page, said to be of another revision at which it looked the same. */
  at(revision: Revision): ListPage {
    return new ListPage(this.#writer, this.#slices, { revision, more: this.more, remaining: this.remaining });
  }

  /** The last object's key, where the next page goes on; undefined for an empty page. */
  get lastKey(): string | undefined {
    const last = this.#slices.at(-1);
    return last?.segment.objects[last.to - 1]?.key;
  }

  /** The list as a frozen value. */
  value(form: Form, metadata: ListMetadata): unknown {
    return this.#writer.value(this.objects(), form, metadata);
  }

  /** The list's bytes, made piece by piece as they are taken. */
  pieces(form: Form, metadata: ListMetadata): Iterable<Uint8Array> {
    return this.#writer.pieces(this.#slices, form, metadata);
  }
}

/** What the caches share with the cache of each resource. */
export interface ResourceCacheContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly forms: Forms;
  readonly budget: JoinBudget;
  readonly ring: RingLimits;
  readonly watch: WatchLimits;
  readonly documentation?: Documentation;
  /** The revision up to which the cache has seen everything. */
  revision(): Revision;
}

/** Objects that are looked at in one go while a selector picks. */
const OBJECTS_PER_STEP = 256;
/** Longest stretch of picking before others get their turn. */
const STEP_MS = 5;

/** The present objects of one resource and the latest events about them. */
export class ResourceCache implements WatchSource {
  readonly prefix: string;
  readonly ring: EventRing;
  readonly limits: WatchLimits;
  readonly #context: ResourceCacheContext;
  readonly #objects: OrderedObjects;
  readonly #indexes = new FieldIndexes();
  #writer: ObjectWriter;
  #lists: ListWriter;
  #watchers: Watchers;
  /** The last revision that changed something here. */
  #changed: Revision;
  #eventCount = 0;

  constructor(prefix: string, kind: Kind, schema: SchemaSet, context: ResourceCacheContext) {
    this.prefix = prefix;
    this.#context = context;
    this.limits = context.watch;
    this.#objects = new OrderedObjects(context.budget);
    this.#changed = context.revision();
    this.ring = new EventRing(this.#changed, context.ring);
    this.#writer = new ObjectWriter(kind, schema, context.clock, context.documentation);
    this.#lists = new ListWriter(this.#writer);
    this.#watchers = new Watchers(this, kind.namespaced);
  }

  get kind(): Kind {
    return this.#writer.kind;
  }

  get size(): number {
    return this.#objects.size;
  }

  get clock(): Clock {
    return this.#context.clock;
  }

  /** Changes that the store has told. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** The revision up to which everything is known. */
  get revision(): Revision {
    return this.#context.revision();
  }

  /** The last revision that changed something here: what is derived from all objects is made anew when it moves. */
  get changed(): Revision {
    return this.#changed;
  }

  get watcherCount(): number {
    return this.#watchers.count;
  }

  /** By the store's key: `objectKey(kind, namespace, name)`. */
  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** The handle of an entry that a write or a read of the store gave: the cache's own, where it has that very one. */
  encode(entry: Entry): CachedObject {
    const known = this.#objects.get(entry.key);
    return known?.revision === entry.revision ? known : this.#handle(entry);
  }

  /** The handle of an entry that a dry run would have written: of the same revision as the present one, and another. */
  pretend(entry: Entry): CachedObject {
    return this.#handle(entry);
  }

  /** The present state. Long selections let others have their turn, and still show one state. */
  async list(query: ListQuery): Promise<ListPage> {
    const { selection, after, limit = 0 } = query;
    const { revision } = this;
    if (selectsAll(selection))
      return this.#page(this.#objects.slices(this.#prefixOf(selection), after), limit, revision);
    const picked: CachedObject[] = [];
    const wanted = limit > 0 ? limit + 1 : Number.POSITIVE_INFINITY;
    let stepEndMs = this.clock.monotonic() + STEP_MS;
    for (const { segment, from, to } of this.#candidates(selection, after)) {
      for (let i = from; i < to; i++) {
        const object = segment.objects[i] as CachedObject;
        if (selects(selection, object) && picked.push(object) >= wanted) break;
        if (i % OBJECTS_PER_STEP !== 0 || this.clock.monotonic() < stepEndMs) continue;
        await this.clock.yield();
        stepEndMs = this.clock.monotonic() + STEP_MS;
      }
      if (picked.length >= wanted) break;
    }
    const more = picked.length >= wanted;
    if (more) picked.pop();
    return new ListPage(this.#lists, slicesOf(picked), { revision, more, remaining: undefined });
  }

  /** The state at an exact revision. Throws the store's `CompactedError` or `FutureRevisionError`. */
  async listAt(revision: Revision, query: ListQuery): Promise<ListPage> {
    if (revision >= this.#changed && revision <= this.revision) {
      const page = await this.list(query);
      return page.revision === revision ? page : page.at(revision);
    }
    const { store } = this.#context;
    const { selection, limit = 0 } = query;
    const prefix = this.#prefixOf(selection);
    if (selectsAll(selection)) {
      const { entries, more, remaining } = await store.list(prefix, { revision, after: query.after, limit });
      return new ListPage(this.#lists, slicesOf(entries.map((entry) => this.encode(entry))), {
        revision,
        more,
        remaining,
      });
    }
    const picked: CachedObject[] = [];
    const wanted = limit > 0 ? limit + 1 : Number.POSITIVE_INFINITY;
    for (let after = query.after; ; ) {
      const chunk = await store.list(prefix, { revision, after, limit: OBJECTS_PER_STEP });
      for (const entry of chunk.entries) {
        const object = this.encode(entry);
        if (selects(selection, object) && picked.push(object) >= wanted) break;
      }
      if (!chunk.more || picked.length >= wanted) break;
      after = chunk.entries.at(-1)?.key;
    }
    const more = picked.length >= wanted;
    if (more) picked.pop();
    return new ListPage(this.#lists, slicesOf(picked), { revision, more, remaining: undefined });
  }

  /** All objects of the present, in order. */
  all(): readonly CachedObject[] {
    return objectsOf(this.#objects.slices(this.prefix));
  }

  /** The objects whose selectable field `label` has `value`, found through an index: one after the other, in no order. */
  *byField(label: string, value: string): IterableIterator<CachedObject> {
    for (const key of this.#indexes.keys(label, value, this.#objects.values()))
      yield this.#objects.get(key) as CachedObject;
  }

  /** Some objects as a list; `of`: what page they are, default a whole list of the present. */
  pageOf(objects: readonly CachedObject[], of?: { readonly revision: Revision; readonly more: boolean }): ListPage {
    const { revision, more } = of ?? { revision: this.revision, more: false };
    return new ListPage(this.#lists, slicesOf(objects), { revision, more, remaining: more ? undefined : 0 });
  }

  /** Starts a watch; the caller has waited until the cache is as new as the watcher wants it (`Caches.fresh`, `reached`). */
  watch(options: WatchOptions, sink: WatchSink): { close(): void } {
    return this.#watchers.open(options, sink);
  }

  // What `Caches` tells.

  /** Replaces everything by the entries of a list, which are in order. Nobody can be told what was in between. */
  load(entries: readonly Entry[], revision: Revision): void {
    if (this.#watchers.count > 0) this.#watchers.fail(new CompactedError(this.#changed, revision));
    const objects: CachedObject[] = [];
    for (let at = 0; at < entries.length; at++) {
      const entry = entries[at] as Entry;
      const object = this.encode(entry);
      // What the store holds anyhow costs nothing here.
      if (entry.companion === undefined) object.relax();
      objects.push(object);
    }
    this.#objects.load(objects);
    this.#indexes.clear();
    this.ring.reset(revision);
    this.#changed = revision;
  }

  /** One write. Watchers are told by `dispatch`, after the cache's revision has moved on. */
  apply(event: StoreEvent): CacheEvent {
    const { key, revision } = event;
    const previous = this.#objects.get(key) ?? (event.previous && this.#handle(event.previous));
    const object = event.entry && this.#handle(event.entry);
    if (object) this.#objects.set(object);
    else this.#objects.delete(key);
    this.#indexes.change(previous, object);
    this.#changed = revision;
    this.#eventCount++;
    const told = new CacheEvent(revision, object, previous);
    this.ring.add(told);
    return told;
  }

  dispatch(event: CacheEvent): void {
    this.#watchers.dispatch(event);
  }

  /** The kind has changed: what was made by its old rules goes, and watchers start anew. */
  rewrite(kind: Kind, schema: SchemaSet): void {
    this.#watchers.end();
    this.#writer = new ObjectWriter(kind, schema, this.clock, this.#context.documentation);
    this.#lists = new ListWriter(this.#writer);
    this.#watchers = new Watchers(this, kind.namespaced);
    const objects = objectsOf(this.#objects.slices(this.prefix));
    this.#objects.load(
      objects.map((object) => {
        const { namespace, name } = splitKey(object.key, this.prefix, kind.namespaced);
        return object.under(this.#writer, namespace, name);
      }),
    );
    this.#indexes.clear();
    this.ring.reset(this.revision);
  }

  /** Ends every watch, cleanly or with the error that tells its client to list anew. */
  endWatches(error?: Error): void {
    if (error) this.#watchers.fail(error);
    else this.#watchers.end();
  }

  /** All entries, as the store holds them. */
  entries(): Entry[] {
    return objectsOf(this.#objects.slices(this.prefix)).map((object) => object.entry());
  }

  // What a watcher asks for (`WatchSource`).

  slices(selection: Selection): readonly Slice[] {
    return this.#candidates(selection, undefined);
  }

  async *history(after: Revision): AsyncGenerator<{ events: CacheEvent[]; upTo: Revision }, void, undefined> {
    const { store } = this.#context;
    for await (const { events, upTo } of readHistory(store, this.prefix, after, (at) => at >= this.ring.since)) {
      yield { events: events.map((event) => this.#past(event)), upTo };
    }
  }

  bookmark(form: Form, revision: Revision, initialEventsEnd: boolean): WatchFrame {
    const annotations = initialEventsEnd ? INITIAL_EVENTS_END : undefined;
    const { value, type } = this.#writer.emptyObject(form, String(revision), annotations);
    return new ValueFrame('BOOKMARK', form, value, { schema: this.#writer.schema, type });
  }

  failure(form: Form, error: Error): WatchFrame {
    const tooOld = error instanceof CompactedError;
    const status = tooOld
      ? failure(410, 'Expired', `too old resource version: ${error.requested} (${error.compactedRevision})`)
      : statusOf(error);
    return new ValueFrame('ERROR', form, status, { schema: this.#writer.schema, type: 'meta.v1.Status' });
  }

  following(form: Form): Form {
    return this.#context.forms.withoutColumns(form);
  }

  #page(slices: Slice[], limit: number, revision: Revision): ListPage {
    const total = countOf(slices);
    if (limit <= 0 || total <= limit) return new ListPage(this.#lists, slices, { revision, more: false, remaining: 0 });
    const page: Slice[] = [];
    let left = limit;
    for (const slice of slices) {
      const take = Math.min(left, slice.to - slice.from);
      page.push({ ...slice, to: slice.from + take });
      left -= take;
      if (left === 0) break;
    }
    return new ListPage(this.#lists, page, { revision, more: true, remaining: total - limit });
  }

  /** Where the selection's objects are, and as few others as can be known without asking it. */
  #candidates(selection: Selection, after: string | undefined): Slice[] {
    const { namespace, name, field } = selection;
    if (name !== undefined && (namespace !== '' || !this.kind.namespaced)) {
      const key = `${this.#prefixOf(selection)}${name}`;
      const object = after === undefined || key > after ? this.#objects.get(key) : undefined;
      return object ? slicesOf([object]) : [];
    }
    if (field && this.#objects.size > OBJECTS_PER_STEP) {
      const keys = this.#indexes.keys(field.label, field.value, this.#objects.values());
      const found = [...keys].filter((key) => after === undefined || key > after).sort();
      return slicesOf(found.map((key) => this.#objects.get(key) as CachedObject));
    }
    return this.#objects.slices(this.#prefixOf(selection), after);
  }

  #prefixOf({ namespace }: Selection): string {
    return namespace === '' || !this.kind.namespaced ? this.prefix : `${this.prefix}${namespace}/`;
  }

  #handle(entry: Entry): CachedObject {
    if (!entry.key.startsWith(this.prefix)) throw new AssertionError(`${entry.key} is none of ${this.prefix}`);
    const { namespace, name } = splitKey(entry.key, this.prefix, this.kind.namespaced);
    return new CachedObject(this.#writer, entry, namespace, name);
  }

  /** An event of the past; its objects are not the cache's, but for those that have not changed since. */
  #past({ revision, entry, previous }: StoreEvent): CacheEvent {
    return new CacheEvent(revision, entry && this.encode(entry), previous && this.encode(previous));
  }
}
