import { compareKeys, isHighKey } from '../../keys.ts';

/**
 * An ordered map from keys to values: a B+ tree whose nodes know how many keys are below them, and which can be shared.
 *
 * `fork` gives a second map with the same content in constant time: both go on from the same nodes, and whoever writes
 * first copies the path that he changes. A fork that nobody writes to is a snapshot.
 */
export class SortedMap<V> {
  #root: Node<V>;
  /** Nodes with this mark belong to this map alone and may be changed in place. */
  #owner: object = {};
  /** Some key sorts by code point otherwise than by UTF-16 unit. */
  #high: boolean;

  private constructor(root: Node<V>, high: boolean) {
    this.#root = root;
    this.#high = high;
  }

  static empty<V>(): SortedMap<V> {
    return new SortedMap<V>({ owner: undefined, keys: [], values: [], children: undefined, size: 0 }, false);
  }

  get size(): number {
    return this.#root.size;
  }

  fork(): SortedMap<V> {
    this.#owner = {};
    return new SortedMap(this.#root, this.#high);
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (node.children) node = node.children[this.#childOf(node, key)] as Node<V>;
    const at = this.#lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values[at] : undefined;
  }

  set(key: string, value: V): void {
    // Until the first key for which the two differ, comparing UTF-16 units does, and is much faster.
    this.#high ||= isHighKey(key);
    this.#root = this.#own(this.#root);
    this.#insert(this.#root, key, value);
    if (this.#root.keys.length > WIDTH) {
      const left = this.#root;
      const right = this.#split(left);
      this.#root = {
        owner: this.#owner,
        keys: [left.keys[0] as string, right.keys[0] as string],
        values: NONE as V[],
        children: [left, right],
        size: left.size + right.size,
      };
    }
  }

  /** False when the key was not there. */
  delete(key: string): boolean {
    if (this.get(key) === undefined) return false;
    this.#root = this.#own(this.#root);
    this.#remove(this.#root, key);
    while (this.#root.children?.length === 1) this.#root = this.#root.children[0] as Node<V>;
    if (this.#root.children?.length === 0) this.#root = SortedMap.empty<V>().#root;
    return true;
  }

  /** How many keys are less than `key`. */
  rank(key: string): number {
    let node = this.#root;
    let before = 0;
    while (node.children) {
      const child = this.#childOf(node, key);
      for (let i = 0; i < child; i++) before += (node.children[i] as Node<V>).size;
      node = node.children[child] as Node<V>;
    }
    return before + this.#lowerBound(node.keys, key);
  }

  /** Shows keys from `from` on, in order, as long as `goesOn`. It must not write to the map; to a fork of it it may. */
  walk(from: string, goesOn: (value: V, key: string) => boolean): void {
    this.#walk(this.#root, from, goesOn);
  }

  #walk(node: Node<V>, from: string | undefined, goesOn: (value: V, key: string) => boolean): boolean {
    if (node.children) {
      const first = from === undefined ? 0 : this.#childOf(node, from);
      for (let i = first; i < node.children.length; i++) {
        if (!this.#walk(node.children[i] as Node<V>, i === first ? from : undefined, goesOn)) return false;
      }
      return true;
    }
    const first = from === undefined ? 0 : this.#lowerBound(node.keys, from);
    for (let i = first; i < node.keys.length; i++) {
      if (!goesOn(node.values[i] as V, node.keys[i] as string)) return false;
    }
    return true;
  }

  /** Whether the key is new. */
  #insert(node: Node<V>, key: string, value: V): boolean {
    if (!node.children) {
      const at = this.#lowerBound(node.keys, key);
      if (node.keys[at] === key) {
        node.values[at] = value;
        return false;
      }
      node.keys.splice(at, 0, key);
      node.values.splice(at, 0, value);
      node.size++;
      return true;
    }
    const at = this.#childOf(node, key);
    const child = this.#ownChild(node, at);
    if (!this.#insert(child, key, value)) return false;
    node.size++;
    node.keys[at] = child.keys[0] as string;
    if (child.keys.length > WIDTH) {
      const right = this.#split(child);
      node.keys.splice(at + 1, 0, right.keys[0] as string);
      node.children.splice(at + 1, 0, right);
    }
    return true;
  }

  #remove(node: Node<V>, key: string): void {
    if (!node.children) {
      const at = this.#lowerBound(node.keys, key);
      node.keys.splice(at, 1);
      node.values.splice(at, 1);
      node.size--;
      return;
    }
    const at = this.#childOf(node, key);
    const child = this.#ownChild(node, at);
    this.#remove(child, key);
    if (child.keys.length === 0) {
      node.keys.splice(at, 1);
      node.children.splice(at, 1);
    } else {
      node.keys[at] = child.keys[0] as string;
      if (child.keys.length < WIDTH / 4) this.#merge(node, at);
    }
    node.size--;
  }

  /** Joins the thin child at `at` with a neighbour if both fit into one node. */
  #merge(node: Node<V>, at: number): void {
    const children = node.children as Node<V>[];
    const left = at > 0 ? at - 1 : at;
    if (left + 1 >= children.length) return;
    const other = children[left + 1] as Node<V>;
    if ((children[left] as Node<V>).keys.length + other.keys.length > WIDTH / 2) return;
    const into = this.#ownChild(node, left);
    into.keys.push(...other.keys);
    if (into.children) into.children.push(...(other.children as Node<V>[]));
    else into.values.push(...other.values);
    into.size += other.size;
    node.keys.splice(left + 1, 1);
    children.splice(left + 1, 1);
  }

  /** Moves the upper half of a node into a new one. Keys that come in order leave full nodes behind. */
  #split(node: Node<V>): Node<V> {
    const at = node.keys.length >> 1;
    const right: Node<V> = {
      owner: this.#owner,
      keys: node.keys.splice(at),
      values: node.children ? (NONE as V[]) : node.values.splice(at),
      children: node.children?.splice(at),
      size: 0,
    };
    right.size = right.children ? sizeOf(right.children) : right.keys.length;
    node.size -= right.size;
    return right;
  }

  #own(node: Node<V>): Node<V> {
    if (node.owner === this.#owner) return node;
    return {
      owner: this.#owner,
      keys: node.keys.slice(),
      values: node.children ? node.values : node.values.slice(),
      children: node.children?.slice(),
      size: node.size,
    };
  }

  #ownChild(node: Node<V>, at: number): Node<V> {
    const children = node.children as Node<V>[];
    const child = this.#own(children[at] as Node<V>);
    children[at] = child;
    return child;
  }

  /** The index of the child that has the key, or would have it. */
  #childOf(node: Node<V>, key: string): number {
    const at = this.#lowerBound(node.keys, key);
    return at < node.keys.length && node.keys[at] === key ? at : Math.max(0, at - 1);
  }

  #lowerBound(keys: readonly string[], key: string): number {
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBefore(keys[middle] as string, key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBefore(a: string, b: string): boolean {
    return this.#high ? compareKeys(a, b) < 0 : a < b;
  }
}

/** `keys` of an inner node are the least keys of its children. */
interface Node<V> {
  readonly owner: object | undefined;
  readonly keys: string[];
  readonly values: V[];
  readonly children: Node<V>[] | undefined;
  size: number;
}

const WIDTH = 64;
const NONE: readonly unknown[] = Object.freeze([]);

function sizeOf(children: readonly { readonly size: number }[]): number {
  let size = 0;
  for (const child of children) size += child.size;
  return size;
}
