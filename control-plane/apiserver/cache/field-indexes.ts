import type { CachedObject } from './cached-object.ts';

/**
 * Keys by the value of a field: `spec.nodeName` of pods. An index begins when somebody first selects by the field; a
 * kind has few selectable fields, so there are few indexes.
 */
export class FieldIndexes {
  readonly #byLabel = new Map<string, Map<string, Set<string>>>();

  /** The keys of objects whose field `label` is `value`, in no order. `all`: the present objects, for a first question. */
  keys(label: string, value: string, all: Iterable<CachedObject>): ReadonlySet<string> {
    let index = this.#byLabel.get(label);
    if (!index) {
      index = new Map();
      for (const object of all) add(index, object.field(label) ?? '', object.key);
      this.#byLabel.set(label, index);
    }
    return index.get(value) ?? NONE;
  }

  change(before: CachedObject | undefined, after: CachedObject | undefined): void {
    if (this.#byLabel.size === 0) return;
    for (const [label, index] of this.#byLabel) {
      const from = before && (before.field(label) ?? '');
      const to = after && (after.field(label) ?? '');
      if (from === to) continue;
      if (before && from !== undefined) remove(index, from, before.key);
      if (after && to !== undefined) add(index, to, after.key);
    }
  }

  clear(): void {
    this.#byLabel.clear();
  }
}

const NONE: ReadonlySet<string> = new Set();

function add(index: Map<string, Set<string>>, value: string, key: string): void {
  const keys = index.get(value);
  if (keys) keys.add(key);
  else index.set(value, new Set([key]));
}

function remove(index: Map<string, Set<string>>, value: string, key: string): void {
  const keys = index.get(value);
  keys?.delete(key);
  if (keys?.size === 0) index.delete(value);
}
