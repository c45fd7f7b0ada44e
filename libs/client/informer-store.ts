import type { ApiObject, Live } from '../kind/object.ts';
import { keyOf } from '../kind/object.ts';

type IndexValues = (object: Live<ApiObject>) => readonly string[];
type Stored = Live<ApiObject>;

/**
 * Stands at one place of each list that it is in, for as long as there is an object of its key. A class, as
 * informers begin with hundreds: of literals V8 would make all later ones old, with their objects.
 */
class Item {
  readonly key: string;
  object: Stored;

  constructor(key: string, object: Stored) {
    this.key = key;
    this.object = object;
  }
}

const NONE: readonly Stored[] = Object.freeze([]);
const NO_INDEXES: readonly FieldIndex[] = Object.freeze([]);

/** The objects of one informer: by key, in the order of keys, and by what indexes say. */
export class InformerStore {
  readonly #byKey = new Map<string, Item>();
  /** In the order of keys; changed in place, so never handed out. No literal, for the reason of `Item`. */
  readonly #ordered: Item[] = Array.of();
  /** Few, by their names. Most have none: a list for each would be made old by V8, with what its indexes see. */
  #indexes: readonly FieldIndex[] = NO_INDEXES;
  /** What `list` gave since the last change; made for the first. */
  #lists: Map<string, readonly Stored[]> | undefined;

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Stored | undefined {
    return this.#byKey.get(key)?.object;
  }

  keys(): IterableIterator<string> {
    return this.#byKey.keys();
  }

  list(namespace = ''): readonly Stored[] {
    if (this.#byKey.size === 0) return NONE;
    this.#lists ??= new Map();
    let list = this.#lists.get(namespace);
    if (!list) {
      list = Object.freeze(this.#part(namespace).map(({ object }) => object));
      this.#lists.set(namespace, list);
    }
    return list;
  }

  addIndex(name: string, values: IndexValues): void {
    if (this.#index(name)) return;
    this.#indexes = this.#indexes.concat(new FieldIndex(name, values));
  }

  by(name: string, value: string): readonly Stored[] {
    const index = this.#index(name);
    if (!index) throw new Error(`no index ${name}`);
    return index.get(value, this.#ordered);
  }

  #index(name: string): FieldIndex | undefined {
    for (let at = 0; at < this.#indexes.length; at++) {
      const index = this.#indexes[at] as FieldIndex;
      if (index.name === name) return index;
    }
    return undefined;
  }

  /** Puts an object in place of the one with its key, and gives that. `key`: the object's. */
  set(object: Stored, key = keyOf(object)): Stored | undefined {
    const known = this.#byKey.get(key);
    const previous = known?.object;
    const item = known ?? new Item(key, object);
    if (known) known.object = object;
    else {
      this.#byKey.set(key, item);
      put(this.#ordered, item);
    }
    this.#changed(item, previous, object);
    return previous;
  }

  delete(key: string): Stored | undefined {
    const item = this.#byKey.get(key);
    if (!item) return undefined;
    this.#byKey.delete(key);
    this.#ordered.splice(indexOf(this.#ordered, key), 1);
    this.#changed(item, item.object, undefined);
    return item.object;
  }

  #changed(item: Item, previous: Stored | undefined, object: Stored | undefined): void {
    if (this.#lists && this.#lists.size > 0) this.#lists.clear();
    for (let at = 0; at < this.#indexes.length; at++) (this.#indexes[at] as FieldIndex).change(item, previous, object);
  }

  #part(namespace: string): readonly Item[] {
    if (namespace === '') return this.#ordered;
    // After `namespace/` comes `namespace0`: the digit follows the slash.
    return this.#ordered.slice(indexOf(this.#ordered, `${namespace}/`), indexOf(this.#ordered, `${namespace}0`));
  }
}

/** The index of the first item whose key is not less than `key`. */
function indexOf(items: readonly Item[], key: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle] as Item).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** At its place in the order of keys; false where it stands there already, as for a value that was given twice. */
function put(items: Item[], item: Item): boolean {
  const last = items.at(-1);
  // Mostly they come in their order.
  if (last === undefined || last.key < item.key) {
    items.push(item);
    return true;
  }
  const at = indexOf(items, item.key);
  if (items[at] === item) return false;
  items.splice(at, 0, item);
  return true;
}

/** The objects of one value of an index: in the order of keys, and as a list since the last change. */
class Found {
  readonly items: Item[];
  list: readonly Stored[] | undefined;

  constructor(item: Item) {
    this.items = Array.of(item);
  }
}

/** Made when it is asked for first, and kept from then on: where little happens many never are. */
class FieldIndex {
  readonly name: string;
  readonly #values: IndexValues;
  readonly #byValue = new Map<string, Found>();
  #isMade = false;

  constructor(name: string, values: IndexValues) {
    this.name = name;
    this.#values = values;
  }

  /** `all`: the store's items, as they are now. */
  get(value: string, all: readonly Item[]): readonly Stored[] {
    if (!this.#isMade) {
      this.#isMade = true;
      for (const item of all) this.change(item, undefined, item.object);
    }
    const found = this.#byValue.get(value);
    if (!found) return NONE;
    found.list ??= Object.freeze(found.items.map(({ object }) => object));
    return found.list;
  }

  /** `item`: the store's own, which has the new object already. So where a value stays, its place does too. */
  change(item: Item, previous: Stored | undefined, object: Stored | undefined): void {
    if (!this.#isMade) return;
    const before = previous ? this.#values(previous) : NO_VALUES;
    const after = object ? this.#values(object) : NO_VALUES;
    for (let at = 0; at < before.length; at++) {
      const value = before[at] as string;
      if (!after.includes(value)) this.#remove(value, item.key);
    }
    for (let at = 0; at < after.length; at++) {
      const value = after[at] as string;
      const found = before.includes(value) ? this.#byValue.get(value) : undefined;
      if (found) found.list = undefined;
      else this.#add(value, item);
    }
  }

  #add(value: string, item: Item): void {
    const found = this.#byValue.get(value);
    if (!found) return void this.#byValue.set(value, new Found(item));
    const { items } = found;
    if (put(items, item)) found.list = undefined;
  }

  #remove(value: string, key: string): void {
    const found = this.#byValue.get(value);
    if (!found) return;
    const { items } = found;
    found.list = undefined;
    const at = indexOf(items, key);
    if (items[at]?.key === key) items.splice(at, 1);
    if (items.length === 0) this.#byValue.delete(value);
  }
}

const NO_VALUES: readonly string[] = Object.freeze([]);
