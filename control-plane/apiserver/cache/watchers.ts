import type { WatchSink } from '../api.ts';
import type { CacheEvent } from './event-ring.ts';
import type { Selection } from './selection.ts';
import { Watcher, type WatchOptions, type WatchSource } from './watcher.ts';

/**
 * The watchers of one resource, found by what they may be concerned with: an event touches those of its object's name,
 * of its namespace, of its indexed fields, and those that want everything.
 */
export class Watchers {
  readonly #source: WatchSource;
  readonly #namespaced: boolean;
  readonly #all = new Set<Watcher>();
  readonly #wide = new Set<Watcher>();
  // Made for the first: of most resources only all is watched.
  #byNamespace: Map<string, Set<Watcher>> | undefined;
  #byName: Map<string, Set<Watcher>> | undefined;
  #byField: Map<string, Map<string, Set<Watcher>>> | undefined;

  constructor(source: WatchSource, namespaced: boolean) {
    this.#source = source;
    this.#namespaced = namespaced;
  }

  get count(): number {
    return this.#all.size;
  }

  open(options: WatchOptions, sink: WatchSink): Watcher {
    const watcher = new Watcher(this.#source, options, sink, (closed) => this.#remove(closed));
    this.#all.add(watcher);
    this.#place(watcher.selection).add(watcher);
    watcher.start();
    return watcher;
  }

  dispatch(event: CacheEvent): void {
    if (this.#all.size === 0) return;
    const { namespace, name } = event.object ?? (event.previous as NonNullable<typeof event.previous>);
    offer(this.#wide, event);
    if (namespace !== '') offer(this.#byNamespace?.get(namespace), event);
    if (this.#byName && this.#byName.size > 0) offer(this.#byName.get(`${namespace}/${name}`), event);
    if (!this.#byField || this.#byField.size === 0) return;
    for (const [label, byValue] of this.#byField) {
      const now = event.object?.field(label);
      const before = event.previous?.field(label);
      if (now !== undefined) offer(byValue.get(now), event);
      if (before !== undefined && before !== now) offer(byValue.get(before), event);
    }
  }

  end(): void {
    for (const watcher of this.#all) watcher.end();
  }

  fail(error: Error): void {
    for (const watcher of this.#all) watcher.fail(error);
  }

  #remove(watcher: Watcher): void {
    this.#all.delete(watcher);
    this.#place(watcher.selection).delete(watcher);
    this.#tidy(watcher.selection);
  }

  #place(selection: Selection): Set<Watcher> {
    const { namespace, name, field } = selection;
    if (name !== undefined && (namespace !== '' || !this.#namespaced))
      return placeIn((this.#byName ??= new Map()), `${namespace}/${name}`);
    if (field) {
      this.#byField ??= new Map();
      let byValue = this.#byField.get(field.label);
      if (!byValue) this.#byField.set(field.label, (byValue = new Map()));
      return placeIn(byValue, field.value);
    }
    return namespace === '' ? this.#wide : placeIn((this.#byNamespace ??= new Map()), namespace);
  }

  /** Takes out what has become empty, so that names that come and go leave nothing behind. */
  #tidy({ namespace, name, field }: Selection): void {
    if (namespace !== '') dropEmpty(this.#byNamespace, namespace);
    if (name !== undefined) dropEmpty(this.#byName, `${namespace}/${name}`);
    const byValue = field && this.#byField?.get(field.label);
    if (!field || !byValue) return;
    dropEmpty(byValue, field.value);
    if (byValue.size === 0) this.#byField?.delete(field.label);
  }
}

function offer(watchers: Set<Watcher> | undefined, event: CacheEvent): void {
  if (watchers) for (const watcher of watchers) watcher.offer(event);
}

function placeIn(map: Map<string, Set<Watcher>>, key: string): Set<Watcher> {
  let set = map.get(key);
  if (!set) map.set(key, (set = new Set()));
  return set;
}

function dropEmpty(map: Map<string, Set<Watcher>> | undefined, key: string): void {
  if (map?.get(key)?.size === 0) map.delete(key);
}
