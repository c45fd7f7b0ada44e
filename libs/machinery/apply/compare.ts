/**
 * What differs between two objects of one type, as sets of fields. This is on every write path, so it first looks for
 * equality without regard to the type, and asks the structure only where something differs. Objects of a known type it
 * goes through member by member at once: where they are equal, nothing comes of that either.
 *
 * What `metadata.managedFields` says is no part of what is compared.
 *
 * An absent field that is on the wire all the same (`status: {}`, `containers: null`) counts as present, because that is
 * how the two objects look to everyone else.
 */
import { jsonEqual } from '../json-equal.ts';
import { emptySet, type FieldSet, type MutableFieldSet, sortedNode } from './field-set.ts';
import {
  anyNode,
  type FieldNode,
  itemElement,
  type ListNode,
  type StructNode,
  type StructureNode,
} from './structure.ts';

export interface Comparison {
  /** What has come to be, or is another than it was. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

type Value = unknown;
type ObjectValue = Readonly<Record<string, unknown>>;

const isObject = (value: Value): value is ObjectValue =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isEmptyContainer = (value: Value): boolean => {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value !== 'object') return false;
  for (const _ in value) return false;
  return true;
};

/** A field's value as it is on the wire; undefined where the field is left out. */
function wireValue(object: ObjectValue, field: FieldNode): Value {
  return Object.hasOwn(object, field.name) ? object[field.name] : field.zero;
}

// ── all of a value ─────────────────────────────────────────────────────────────────────────────────────────────────

function allOfStruct(node: StructNode, value: ObjectValue): MutableFieldSet {
  // By rank: the few fields that are there, and those that are on the wire all the same.
  const present: FieldNode[] = [];
  let undeclared = false;
  for (const key in value) {
    const field = node.fields.get(key);
    if (field === undefined) undeclared = true;
    else insertByRank(present, field);
  }
  for (const field of node.zeros) if (!Object.hasOwn(value, field.name)) insertByRank(present, field);
  const set: MutableFieldSet = { '.': emptySet };
  for (const field of present) {
    set[field.element] = allOf(field.node, Object.hasOwn(value, field.name) ? value[field.name] : field.zero);
  }
  if (!undeclared) return set;
  for (const key of Object.keys(value)) {
    if (!node.fields.has(key)) set[`f:${key}`] = allOf(anyNode, value[key]);
  }
  return sortedNode(set) as MutableFieldSet;
}

function insertByRank(fields: FieldNode[], field: FieldNode): void {
  let at = fields.length;
  while (at > 0 && (fields[at - 1] as FieldNode).rank > field.rank) at--;
  if (at === fields.length) fields.push(field);
  else fields.splice(at, 0, field);
}

/** A value's node with all that is below it, as if it had just been added. */
function allOf(node: StructureNode, value: Value): FieldSet {
  if (typeof value !== 'object' || value === null) return emptySet;
  if (Array.isArray(value)) {
    if (node.kind !== 'list' || node.listType === 'atomic' || value.length === 0) return emptySet;
    const set: MutableFieldSet = { '.': emptySet };
    for (const item of value) {
      const element = itemElement(node, item);
      // An item that a list has twice is one leaf.
      set[element] = set[element] === undefined ? allOf(node.of, item) : emptySet;
    }
    return sortedNode(set);
  }
  if (node.kind === 'scalar' || node.kind === 'list' || node.atomic) return emptySet;
  if (node.kind === 'struct') {
    const set = allOfStruct(node, value as ObjectValue);
    for (const element in set) if (element !== '.') return set as FieldSet;
    return emptySet;
  }
  const keys = Object.keys(value);
  if (keys.length === 0) return emptySet;
  const of = node.kind === 'map' ? node.of : anyNode;
  const set: MutableFieldSet = { '.': emptySet };
  for (const key of keys) set[`f:${key}`] = allOf(of, (value as ObjectValue)[key]);
  return sortedNode(set);
}

// ── differences ────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * One of the two sets of a comparison. That goes down and up the two objects, and comes by each place once: so a node is put
 * into the one above it, in order, when the comparison leaves its place.
 */
class Side {
  /** By depth, those on the way to where the comparison is that have members. */
  #nodes: (MutableFieldSet | undefined)[] | undefined;

  /** All of `subtree` at the path that the first `depth` elements are. */
  add(path: readonly string[], depth: number, subtree: FieldSet): void {
    this.#nodes ??= [];
    for (let above = depth - 1; above >= 0 && this.#nodes[above] === undefined; above--) this.#nodes[above] = {};
    (this.#nodes[depth - 1] as MutableFieldSet)[path[depth - 1] as string] = subtree;
  }

  /** The place that the first `depth` elements are is done. */
  leave(path: readonly string[], depth: number): void {
    const node = this.#nodes?.[depth];
    if (this.#nodes === undefined || node === undefined) return;
    this.#nodes[depth] = undefined;
    (this.#nodes[depth - 1] as MutableFieldSet)[path[depth - 1] as string] = sortedNode(node);
  }

  finish(): FieldSet {
    const root = this.#nodes?.[0];
    return root === undefined ? emptySet : sortedNode(root);
  }
}

class Comparer {
  readonly changed = new Side();
  readonly removed = new Side();
  /** Where the comparison is: the first `#depth` elements. */
  readonly #path: string[] = [];
  #depth = 0;

  /** Two whole objects. */
  top(node: StructNode, before: ObjectValue, after: ObjectValue): void {
    this.#struct(node, before, after, before, after);
  }

  /** Both values at one place; undefined for one that is not there. They are known to differ. */
  #differ(node: StructureNode, before: Value, after: Value): void {
    if (before === undefined) this.changed.add(this.#path, this.#depth, allOf(node, after));
    else if (after === undefined) this.removed.add(this.#path, this.#depth, allOf(node, before));
    else this.#changed(node, before, after);
  }

  #at(element: string, node: StructureNode, before: Value, after: Value): void {
    if (before === after) return;
    if (node.kind === 'struct' && !node.atomic && isObject(before) && isObject(after)) {
      this.#path[this.#depth++] = element;
      this.#struct(node, before, after, before, after);
      this.#leave();
      return;
    }
    if (before !== undefined && after !== undefined && jsonEqual(before, after)) return;
    this.#path[this.#depth++] = element;
    this.#differ(node, before, after);
    this.#leave();
  }

  #leave(): void {
    this.changed.leave(this.#path, this.#depth);
    this.removed.leave(this.#path, this.#depth);
    this.#depth--;
  }

  #leaf(): void {
    this.changed.add(this.#path, this.#depth, emptySet);
  }

  #changed(node: StructureNode, before: Value, after: Value): void {
    const bothEmpty = isEmptyContainer(before) && isEmptyContainer(after);
    switch (node.kind) {
      case 'scalar':
        return this.#leaf();
      case 'struct':
        if (node.atomic || !this.#fits(before, isObject) || !this.#fits(after, isObject)) return this.#leaf();
        return this.#struct(node, (before ?? {}) as ObjectValue, (after ?? {}) as ObjectValue, before, after);
      case 'map':
        if (node.atomic || bothEmpty || !this.#fits(before, isObject) || !this.#fits(after, isObject))
          return this.#leaf();
        return this.#map(node.of, before as ObjectValue | null, after as ObjectValue | null);
      case 'list':
        if (node.listType === 'atomic' || bothEmpty) return this.#leaf();
        if (!this.#fits(before, Array.isArray) || !this.#fits(after, Array.isArray)) return this.#leaf();
        return this.#list(node, (before ?? []) as Value[], (after ?? []) as Value[]);
      default:
        if (node.atomic || bothEmpty || Array.isArray(before) || Array.isArray(after)) return this.#leaf();
        if (isObject(before) !== isObject(after) && before !== null && after !== null) return this.#leaf();
        if (!isObject(before) && !isObject(after)) return this.#leaf();
        return this.#map(anyNode, before as ObjectValue | null, after as ObjectValue | null);
    }
  }

  #fits(value: Value, check: (value: Value) => boolean): boolean {
    return value === null || check(value);
  }

  #struct(node: StructNode, before: ObjectValue, after: ObjectValue, rawBefore: Value, rawAfter: Value): void {
    // An object that only has fields with zeros is no empty one.
    const empty = node.zeros.length === 0 && isEmptyContainer(before) && isEmptyContainer(after);
    if (empty) {
      if ((rawBefore === null) !== (rawAfter === null)) this.#leaf();
      return;
    }
    // null is on the wire as such: it has no fields, not even zeros.
    const beforeZeros = rawBefore !== null;
    const afterZeros = rawAfter !== null;
    for (const key in before) {
      if (before[key] === after[key] && Object.hasOwn(after, key)) continue;
      this.#member(node, key, before, after, beforeZeros, afterZeros);
    }
    for (const key in after) {
      if (!Object.hasOwn(before, key)) this.#member(node, key, before, after, beforeZeros, afterZeros);
    }
    if (beforeZeros === afterZeros) return;
    for (const { name } of node.zeros) {
      if (Object.hasOwn(before, name) || Object.hasOwn(after, name)) continue;
      this.#member(node, name, before, after, beforeZeros, afterZeros);
    }
  }

  #member(
    node: StructNode,
    key: string,
    before: ObjectValue,
    after: ObjectValue,
    beforeZeros: boolean,
    afterZeros: boolean,
  ): void {
    if (key === 'managedFields' && this.#depth === 1 && this.#path[0] === 'f:metadata') return;
    const field = node.fields.get(key);
    const zero = field?.zero;
    const left = Object.hasOwn(before, key) ? before[key] : beforeZeros ? zero : undefined;
    const right = Object.hasOwn(after, key) ? after[key] : afterZeros ? zero : undefined;
    this.#at(field?.element ?? `f:${key}`, field?.node ?? anyNode, left, right);
  }

  #map(of: StructureNode, before: ObjectValue | null, after: ObjectValue | null): void {
    for (const key in before) {
      const right = after !== null && Object.hasOwn(after, key) ? after[key] : undefined;
      if (before[key] !== right) this.#at(`f:${key}`, of, before[key], right);
    }
    for (const key in after) {
      if (before === null || !Object.hasOwn(before, key)) this.#at(`f:${key}`, of, undefined, after[key]);
    }
  }

  #list(node: ListNode, before: readonly Value[], after: readonly Value[]): void {
    const left = itemsByElement(node, before);
    const right = itemsByElement(node, after);
    for (const [element, items] of left) {
      const others = right.get(element);
      if (items.length > 1 || (others?.length ?? 0) > 1) this.#repeated(element, items, others ?? []);
      else this.#at(element, node.of, items[0], others?.[0]);
    }
    for (const [element, items] of right) {
      if (left.has(element)) continue;
      if (items.length > 1) this.#repeated(element, [], items);
      else this.#at(element, node.of, undefined, items[0]);
    }
  }

  /** Items that live objects may have more than once are compared as a whole. */
  #repeated(element: string, before: readonly Value[], after: readonly Value[]): void {
    if (jsonEqual(before, after)) return;
    this.#path[this.#depth++] = element;
    const side = after.length === 0 ? this.removed : this.changed;
    side.add(this.#path, this.#depth, emptySet);
    this.#depth--;
  }
}

/** The items of a list by path element; most lists have one for each. */
export function itemsByElement(node: ListNode, items: readonly Value[]): Map<string, Value[]> {
  const found = new Map<string, Value[]>();
  for (const item of items) {
    const element = itemElement(node, item);
    const same = found.get(element);
    if (same === undefined) found.set(element, [item]);
    else same.push(item);
  }
  return found;
}

const nothing: Comparison = Object.freeze({ changed: emptySet, removed: emptySet });

/**
 * What changed from `before` to `after`. `{}` stands for an object that does not exist yet.
 *
 * @throws ListItemError for items of lists that lack their keys
 */
export function compare(node: StructureNode, before: ObjectValue, after: ObjectValue): Comparison {
  if (before === after || node.kind !== 'struct') return nothing;
  const comparer = new Comparer();
  comparer.top(node, before, after);
  return { changed: comparer.changed.finish(), removed: comparer.removed.finish() };
}

/** Whether two values are the same on the wire, the order of lists included. */
export function sameOnWire(node: StructureNode, a: Value, b: Value): boolean {
  if (jsonEqual(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return false;
    const of = node.kind === 'list' ? node.of : anyNode;
    return a.every((item, i) => sameOnWire(of, item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  if (node.kind === 'struct') {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const field = node.fields.get(key) ?? { name: key, element: '', node: anyNode, rank: -1, zero: undefined };
      if (!sameOnWire(field.node, wireValue(a, field), wireValue(b, field))) return false;
    }
    return true;
  }
  const of = node.kind === 'map' ? node.of : anyNode;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && sameOnWire(of, a[key], b[key]));
}
