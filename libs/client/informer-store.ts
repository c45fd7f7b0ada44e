import type { ApiObject, Live } from '../kind/object.ts';
import { keyOf } from '../kind/object.ts';

type IndexValues = (object: Live<ApiObject>) => readonly string[];
type Stored = Live<ApiObject>;

interface Item {
  readonly key: string;
  readonly object: Stored;
}

const NONE: readonly Stored[] = Object.freeze([]);

/** The objects of one informer: by key, in the order of keys, and by what indexes say. */
export class InformerStore {
  readonly #byKey = new Map<string, Stored>();
  /** In the order of keys; changed in place, so never handed out. */
  #ordered: Item[] = [];
  readonly #indexes = new Map<string, FieldIndex>();
  /** What `list` gave since the last change. */
  #lists = new Map<string, readonly Stored[]>();

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Stored | undefined {
    return this.#byKey.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#byKey.keys();
  }

  list(namespace = ''): readonly Stored[] {
    let list = this.#lists.get(namespace);
    if (!list) {
      list = Object.freeze(this.#part(namespace).map(({ object }) => object));
      this.#lists.set(namespace, list);
    }
    return list;
  }

  addIndex(name: string, values: IndexValues): void {
    const known = this.#indexes.get(name);
    if (known) return;
    const index = new FieldIndex(values);
    for (const { key, object } of this.#ordered) index.change(key, undefined, object);
    this.#indexes.set(name, index);
  }

  by(name: string, value: string): readonly Stored[] {
    const index = this.#indexes.get(name);
    if (!index) throw new Error(`no index ${name}`);
    return index.get(value);
  }

  /** Puts an object in place of the one with its key, and gives that. */
  set(object: Stored): Stored | undefined {
    const key = keyOf(object);
    const previous = this.#byKey.get(key);
    const at = this.#indexOf(key);
    if (previous) this.#ordered[at] = { key, object };
    else this.#ordered.splice(at, 0, { key, object });
    this.#byKey.set(key, object);
    this.#changed(key, previous, object);
    return previous;
  }

  delete(key: string): Stored | undefined {
    const previous = this.#byKey.get(key);
    if (!previous) return undefined;
    this.#byKey.delete(key);
    this.#ordered.splice(this.#indexOf(key), 1);
    this.#changed(key, previous, undefined);
    return previous;
  }

  #changed(key: string, previous: Stored | undefined, object: Stored | undefined): void {
    if (this.#lists.size > 0) this.#lists = new Map();
    for (const index of this.#indexes.values()) index.change(key, previous, object);
  }

  #part(namespace: string): readonly Item[] {
    if (namespace === '') return this.#ordered;
    // After `namespace/` comes `namespace0`: the digit follows the slash.
    return this.#ordered.slice(this.#indexOf(`${namespace}/`), this.#indexOf(`${namespace}0`));
  }

  /** The index of the first item whose key is not less than `key`. */
  #indexOf(key: string): number {
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ordered[middle] as Item).key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

class FieldIndex {
  readonly #values: IndexValues;
  readonly #byValue = new Map<string, Map<string, Stored>>();
  readonly #lists = new Map<string, readonly Stored[]>();

  constructor(values: IndexValues) {
    this.#values = values;
  }

  get(value: string): readonly Stored[] {
    let list = this.#lists.get(value);
    if (!list) {
      const found = this.#byValue.get(value);
      if (!found) return NONE;
      const items = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
      list = Object.freeze(items.map(([, object]) => object));
      this.#lists.set(value, list);
    }
    return list;
  }

  change(key: string, previous: Stored | undefined, object: Stored | undefined): void {
    const before = previous ? this.#values(previous) : [];
    const after = object ? this.#values(object) : [];
    for (const value of before) if (!after.includes(value)) this.#remove(value, key);
    for (const value of after) this.#add(value, key, object as Stored);
  }

  #add(value: string, key: string, object: Stored): void {
    this.#lists.delete(value);
    const found = this.#byValue.get(value);
    if (found) found.set(key, object);
    else this.#byValue.set(value, new Map([[key, object]]));
  }

  #remove(value: string, key: string): void {
    this.#lists.delete(value);
    const found = this.#byValue.get(value);
    found?.delete(key);
    if (found?.size === 0) this.#byValue.delete(value);
  }
}
