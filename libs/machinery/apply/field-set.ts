/**
 * Sets of fields, in the form that `metadata.managedFields[].fieldsV1` stores them: a tree of path elements.
 *
 *     { "f:spec": { "f:replicas": {}, "f:containers": { "k:{\"name\":\"a\"}": { ".": {}, "f:image": {} } } } }
 *
 *   f:name     a field of an object          k:{…}   an item of a list, by its keys
 *   v:…        a member of a set, as JSON    i:0     an item of a list, by position
 *
 * A node without children is a member of the set; a node with children is one only if it has `.` among them. Working
 * on the stored form saves parsing and printing it at every write. All functions are pure: trees are shared, never
 * changed. Trees that these functions make are sorted as upstream sorts them.
 */
import { compareBytes, json } from '../quote.ts';

export interface FieldSet {
  readonly [element: string]: FieldSet;
}

/** Without members; also the node of a member without children. */
export const emptySet: FieldSet = Object.freeze({});

const self = '.';

/** A tree while it is being built. */
export interface MutableFieldSet {
  [element: string]: MutableFieldSet | FieldSet;
}

/** Whether the set has no members. */
export function isEmpty(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether a node below the top is itself a member. */
export function isMember(node: FieldSet): boolean {
  return isEmpty(node) || node[self] !== undefined;
}

/** Whether a node has members below it. */
export function hasChildren(node: FieldSet): boolean {
  for (const element in node) if (element !== self) return true;
  return false;
}

// ── path elements ──────────────────────────────────────────────────────────────────────────────────────────────────

const rankOf: Readonly<Record<string, number>> = Object.freeze({ '.': 0, f: 1, k: 2, v: 3, i: 4 });

const typeRank = (value: unknown): number => {
  if (typeof value === 'number') return 0;
  if (typeof value === 'string') return 1;
  if (typeof value === 'boolean') return 2;
  return Array.isArray(value) ? 3 : value === null ? 5 : 4;
};

function compareValues(a: unknown, b: unknown): number {
  const rank = typeRank(a) - typeRank(b);
  if (rank !== 0) return rank;
  if (typeof a === 'number') return a - (b as number);
  if (typeof a === 'string') return compareBytes(a, b as string);
  return compareBytes(json(a), json(b));
}

function compareKeys(a: Record<string, unknown>, b: Record<string, unknown>): number {
  const left = Object.keys(a).sort(compareBytes);
  const right = Object.keys(b).sort(compareBytes);
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [x, y] = [left[i] as string, right[i] as string];
    const order = compareBytes(x, y) || compareValues(a[x], b[y]);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

const quoteCode = 34;

/** Where the only value of an element begins, if that is a string without escapes: `v:"x"`, `k:{"name":"x"}`; else −1. */
function plainStringAt(element: string): number {
  if (element.includes('\\')) return -1;
  const start = element.startsWith('v:') ? 2 : element.indexOf('":') + 2;
  if (element.charCodeAt(start) !== quoteCode) return -1;
  const end = element.length - (start === 2 ? 1 : 2);
  return element.indexOf('"', start + 1) === end ? start + 1 : -1;
}

/** The order of elements at one level. */
export function compareElements(a: string, b: string): number {
  if (a === b) return 0;
  const kind = a[0] as string;
  if (kind !== b[0]) return (rankOf[kind] ?? 9) - (rankOf[b[0] as string] ?? 9);
  if (kind === 'f') return compareBytes(a, b);
  if (kind === 'i') return Number(a.slice(2)) - Number(b.slice(2));
  // Most items have one key, and it is a name.
  const at = plainStringAt(a);
  if (at > 0 && at === plainStringAt(b) && a.slice(0, at) === b.slice(0, at))
    return compareBytes(a.slice(at), b.slice(at));
  const left: unknown = JSON.parse(a.slice(2));
  const right: unknown = JSON.parse(b.slice(2));
  if (kind === 'k') return compareKeys(left as Record<string, unknown>, right as Record<string, unknown>);
  return compareValues(left, right);
}

/** An element as messages show it: `.name`, `[name="a"]`, `[="x"]`, `[0]`. */
export function elementText(element: string): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${rest}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
      return `[${keys.map(([name, value]) => `${name}=${json(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}

/** A path as messages show it: `.spec.containers[name="a"].image`. */
export function pathText(path: readonly string[]): string {
  return path.map(elementText).join('');
}

// ── building ───────────────────────────────────────────────────────────────────────────────────────────────────────

function isSorted(elements: readonly string[]): boolean {
  for (let i = 1; i < elements.length; i++) {
    if (compareElements(elements[i - 1] as string, elements[i] as string) > 0) return false;
  }
  return true;
}

/** The same tree in order; parts that are in order already are kept. */
export function sortedSet(set: MutableFieldSet | FieldSet): FieldSet {
  const elements = Object.keys(set);
  let changed = !isSorted(elements);
  const children = new Map<string, FieldSet>();
  for (const element of elements) {
    const child = set[element] as FieldSet;
    const sorted = isEmpty(child) ? child : sortedSet(child);
    children.set(element, sorted);
    if (sorted !== child) changed = true;
  }
  if (!changed) return set as FieldSet;
  const result: MutableFieldSet = {};
  for (const element of elements.sort(compareElements)) result[element] = children.get(element) as FieldSet;
  return result as FieldSet;
}

/** A node whose own elements are in order; what is below them is taken to be. */
export function sortedNode(node: MutableFieldSet | FieldSet): FieldSet {
  let previous: string | undefined;
  for (const element in node) {
    if (previous !== undefined && compareElements(previous, element) > 0) return sortedAnew(node);
    previous = element;
  }
  return node as FieldSet;
}

/** Up to here each element is moved down to its place: sorting as the platform does it costs more for so few. */
const FEW = 16;

function insertionSort(elements: string[]): void {
  for (let i = 1; i < elements.length; i++) {
    const element = elements[i] as string;
    let at = i;
    for (; at > 0 && compareElements(elements[at - 1] as string, element) > 0; at--)
      elements[at] = elements[at - 1] as string;
    elements[at] = element;
  }
}

function sortedAnew(node: MutableFieldSet | FieldSet): FieldSet {
  const elements = Object.keys(node);
  if (elements.length > FEW) elements.sort(compareElements);
  else insertionSort(elements);
  const result: MutableFieldSet = {};
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] as string;
    result[element] = node[element] as FieldSet;
  }
  return result as FieldSet;
}

/** Puts a set together from sorted subtrees at paths, in any order. */
export class SetBuilder {
  #root: MutableFieldSet | undefined;
  /** Nodes below the root that the builder itself made: the only ones it may change, and that may be out of order. */
  #own: Set<MutableFieldSet | FieldSet> | undefined;

  /** A subtree at a path; united with what is there already. */
  add(path: readonly string[], subtree: FieldSet): void {
    this.#root ??= {};
    let at = this.#root;
    for (let i = 0; i < path.length - 1; i++) {
      const element = path[i] as string;
      let next = at[element] as MutableFieldSet | undefined;
      this.#own ??= new Set();
      if (next === undefined || !this.#own.has(next)) {
        // A member that gets children must say that it is a member.
        next = next === undefined ? {} : isEmpty(next as FieldSet) ? { [self]: emptySet } : { ...next };
        this.#own.add(next);
        at[element] = next;
      }
      at = next;
    }
    const last = path.at(-1) as string;
    const present = at[last] as FieldSet | undefined;
    at[last] = present === undefined ? subtree : unionNode(present, subtree);
  }

  finish(): FieldSet {
    return this.#root === undefined ? emptySet : this.#sorted(this.#root);
  }

  #sorted(node: MutableFieldSet): FieldSet {
    if (this.#own !== undefined) {
      for (const element in node) {
        const child = node[element] as MutableFieldSet;
        if (this.#own.has(child)) node[element] = this.#sorted(child);
      }
    }
    return sortedNode(node);
  }
}

/** A set of these paths. */
export function setOf(...paths: readonly (readonly string[])[]): FieldSet {
  const builder = new SetBuilder();
  for (const path of paths) builder.add(path, emptySet);
  return builder.finish();
}

// ── algebra ────────────────────────────────────────────────────────────────────────────────────────────────────────

function unionNode(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  const leafA = isEmpty(a);
  const leafB = isEmpty(b);
  if (leafA && leafB) return a;
  if (leafA) return b[self] !== undefined ? b : { [self]: emptySet, ...b };
  if (leafB) return a[self] !== undefined ? a : { [self]: emptySet, ...a };
  return union(a, b);
}

/** Members of either. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  let result: MutableFieldSet | undefined;
  let added = false;
  for (const element in b) {
    const ours = a[element];
    const theirs = b[element] as FieldSet;
    const both = ours === undefined ? theirs : unionNode(ours, theirs);
    if (both === ours) continue;
    result ??= { ...a };
    if (ours === undefined) added = true;
    result[element] = both;
  }
  if (result === undefined) return a;
  return added ? sortedNode(result) : (result as FieldSet);
}

/** A node from its parts; undefined where it has neither membership nor children. */
function nodeOf(member: boolean, children: MutableFieldSet): FieldSet | undefined {
  if (!isEmpty(children as FieldSet)) return (member ? { [self]: emptySet, ...children } : children) as FieldSet;
  return member ? emptySet : undefined;
}

/**
 * `a` with each child as `rest` leaves it against its like in `b`, undefined for those that go, and itself a member where
 * `member` says so; `a` as it is where all children stay as they are. Made anew: an object from which members are deleted
 * becomes a slow one.
 */
function childrenLeft(
  a: FieldSet,
  b: FieldSet,
  member: boolean,
  rest: (ours: FieldSet, theirs: FieldSet) => FieldSet | undefined,
): FieldSet {
  let result: MutableFieldSet | undefined;
  for (const element in a) {
    if (element === self) continue;
    const ours = a[element] as FieldSet;
    const theirs = b[element];
    const left = theirs === undefined ? ours : rest(ours, theirs);
    if (result === undefined && left !== ours) {
      result = member ? { [self]: emptySet } : {};
      for (const before in a) {
        if (before === element) break;
        if (before !== self) result[before] = a[before] as FieldSet;
      }
    }
    if (result !== undefined && left !== undefined) result[element] = left;
  }
  return (result as FieldSet | undefined) ?? a;
}

function differenceNode(a: FieldSet, b: FieldSet): FieldSet | undefined {
  const member = isMember(a);
  const keeps = member && !isMember(b);
  const left = childrenLeft(a, b, keeps, differenceNode);
  if (left !== a) return hasChildren(left) ? left : nodeOf(keeps, {});
  if (keeps === member) return a;
  const { [self]: _, ...children } = a;
  return nodeOf(false, children);
}

/** Members of `a` that are not members of `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a;
  return a === b ? emptySet : childrenLeft(a, b, false, differenceNode);
}

function recursiveDifferenceNode(a: FieldSet, b: FieldSet): FieldSet | undefined {
  if (isMember(b)) return undefined;
  const left = recursiveDifference(a, b);
  return left === a || !isEmpty(left) ? left : undefined;
}

/** `a` without the members of `b` and everything below them. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  return childrenLeft(a, b, a[self] !== undefined, recursiveDifferenceNode);
}

function intersectionNode(a: FieldSet, b: FieldSet): FieldSet | undefined {
  const children: MutableFieldSet = {};
  for (const element in b) {
    const ours = element === self ? undefined : a[element];
    const both = ours === undefined ? undefined : intersectionNode(ours, b[element] as FieldSet);
    if (both !== undefined) children[element] = both;
  }
  return nodeOf(isMember(a) && isMember(b), children);
}

/** Members of both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result: MutableFieldSet = {};
  for (const element in b) {
    const ours = a[element];
    const both = ours === undefined ? undefined : intersectionNode(ours, b[element] as FieldSet);
    if (both !== undefined) result[element] = both;
  }
  return result as FieldSet;
}

/** Whether the path is a member. */
export function hasPath(set: FieldSet, path: readonly string[]): boolean {
  let at: FieldSet | undefined = set;
  for (const element of path) {
    at = at[element];
    if (at === undefined) return false;
  }
  return isMember(at);
}

/** All members, at each level those without children first. */
export function pathsOf(set: FieldSet): string[][] {
  const found: string[][] = [];
  const walk = (node: FieldSet, prefix: readonly string[]): void => {
    const elements = Object.keys(node).filter((element) => element !== self);
    for (const element of elements) if (isMember(node[element] as FieldSet)) found.push([...prefix, element]);
    for (const element of elements) {
      const child = node[element] as FieldSet;
      if (hasChildren(child)) walk(child, [...prefix, element]);
    }
  };
  walk(set, []);
  return found;
}

/** Whether two sets have the same members. */
export function sameSet(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  let count = 0;
  for (const element in a) {
    const other = b[element];
    if (other === undefined || !sameSet(a[element] as FieldSet, other)) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}

// ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

function readElement(element: string): string | undefined {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return element;
  if (element.startsWith('i:') && /^-?[0-9]+$/.test(rest)) return element;
  if (!element.startsWith('k:') && !element.startsWith('v:')) return undefined;
  const value: unknown = JSON.parse(rest);
  if (element.startsWith('v:')) return `v:${json(value)}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError(`not keys: ${element}`);
  return `k:${json(Object.fromEntries(Object.entries(value).sort(([a], [b]) => compareBytes(a, b))))}`;
}

function readNode(value: unknown): MutableFieldSet {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('not a set of fields');
  const node: MutableFieldSet = {};
  for (const [element, child] of Object.entries(value)) {
    if (element === self) node[self] = emptySet;
    else {
      const known = readElement(element);
      // Kinds of elements that later versions may bring are passed over, as upstream does.
      if (known !== undefined) node[known] = readNode(child);
    }
  }
  // A leaf needs no `.`: being one says it.
  return Object.keys(node).length === 1 && node[self] !== undefined ? {} : node;
}

/** A set that a client sent, in canonical form; undefined where it is no set of fields. */
export function readFieldSet(value: unknown): FieldSet | undefined {
  try {
    const { [self]: _, ...set } = readNode(value);
    return sortedSet(set);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
