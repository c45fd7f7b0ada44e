/**
 * What server-side apply does with an applied object: check it against its type, list its fields, merge it into the
 * live object, take out fields that its manager gave up.
 */
import { float, goTypeOf } from '../quote.ts';
import {
  elementText,
  emptySet,
  type FieldSet,
  hasChildren,
  isEmpty,
  isMember,
  type MutableFieldSet,
  sortedNode,
} from './field-set.ts';
import { anyNode, itemElement, ListItemError, type ListNode, type StructureNode } from './structure.ts';

type Value = unknown;
type ObjectValue = Readonly<Record<string, unknown>>;

const isObject = (value: Value): value is ObjectValue =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The applied object does not fit its type; the message is the one clients see, with places. */
export class TypedError extends Error {
  override readonly name = 'TypedError';
}

// ── checking ───────────────────────────────────────────────────────────────────────────────────────────────────────

const sortedEntries = (value: ObjectValue): [string, Value][] =>
  Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));

const scalarText = (value: Value): string =>
  typeof value === 'number' && !Number.isInteger(value) ? float(value) : String(value);

/** A value as it stands in "expected map, got …". */
function shown(value: Value): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`;
  if (isObject(value))
    return `map[${sortedEntries(value)
      .map(([key, item]) => `${key}:${shown(item)}`)
      .join(' ')}]`;
  return scalarText(value);
}

/** A value as it stands in "expected string, got …": with its Go type. */
function shownTyped(value: Value): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (Array.isArray(value)) return `[]interface {}{${value.map(shownTyped).join(', ')}}`;
  if (isObject(value)) {
    const entries = sortedEntries(value).map(([key, item]) => `${JSON.stringify(key)}:${shownTyped(item)}`);
    return `map[string]interface {}{${entries.join(', ')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : scalarText(value);
}

function scalarProblem(kind: 'string' | 'numeric' | 'boolean' | 'untyped', value: Value): string | undefined {
  const type = typeof value;
  switch (kind) {
    case 'string':
      return type === 'string'
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${shownTyped(value)}}`;
    case 'numeric':
      return type === 'number' || type === 'bigint'
        ? undefined
        : `expected numeric (int or float), got ${goTypeOf(value)}`;
    case 'boolean':
      return type === 'boolean' ? undefined : `expected boolean, got &{${shown(value)}}`;
    default:
      return type === 'object' ? `expected any scalar, got &{${shown(value)}}` : undefined;
  }
}

class Checker {
  readonly problems: string[] = [];
  readonly #path: string[] = [];

  #say(problem: string): void {
    this.problems.push(`${this.#path.join('')}: ${problem}`);
  }

  check(node: StructureNode, value: Value): void {
    if (value === null || value === undefined) return;
    if (node.kind === 'scalar') {
      const problem = scalarProblem(node.scalar, value);
      if (problem !== undefined) this.#say(problem);
    } else if (node.kind === 'list') {
      if (Array.isArray(value)) this.#items(node, value);
      else this.#say(`expected list, got &{${shown(value)}}`);
    } else if (node.kind !== 'any') {
      if (isObject(value)) this.#fields(node, value);
      else this.#say(`expected map, got &{${shown(value)}}`);
    }
  }

  #below(step: string, node: StructureNode, value: Value): void {
    this.#path.push(step);
    this.check(node, value);
    this.#path.pop();
  }

  #fields(node: Extract<StructureNode, { kind: 'struct' | 'map' }>, value: ObjectValue): void {
    for (const [key, item] of Object.entries(value)) {
      const field = node.kind === 'map' ? node.of : node.fields.get(key)?.node;
      if (field !== undefined) this.#below(`.${key}`, field, item);
      else if (node.kind === 'struct' && !node.open) {
        this.#path.push(`.${key}`);
        this.#say('field not declared in schema');
        this.#path.pop();
      }
    }
  }

  #items(node: ListNode, items: readonly Value[]): void {
    const seen = new Set<string>();
    for (const [index, item] of items.entries()) {
      if (node.listType === 'atomic') {
        this.#below(`[${index}]`, node.of, item);
        continue;
      }
      try {
        const element = itemElement(node, item);
        if (seen.has(element)) this.#say(`duplicate entries for key ${elementText(element)}`);
        seen.add(element);
        this.#below(elementText(element), node.of, item);
      } catch (error) {
        if (!(error instanceof ListItemError)) throw error;
        // Without its element nothing below an item can be named.
        return this.#say(`element ${index}: ${error.message}`);
      }
    }
  }
}

/**
 * Checks that an applied object has only declared fields of the right types, and lists without repeated items.
 *
 * @throws TypedError that lists every problem with its place
 */
export function checkTyped(node: StructureNode, value: ObjectValue): void {
  const checker = new Checker();
  checker.check(node, value);
  const { problems } = checker;
  if (problems.length === 1) throw new TypedError(problems[0]);
  if (problems.length > 1) throw new TypedError(['errors:', ...problems.map((problem) => `  ${problem}`)].join('\n'));
}

// ── fields of an object ────────────────────────────────────────────────────────────────────────────────────────────

const isEmptyObject = (value: Value): boolean => isObject(value) && Object.keys(value).length === 0;

function childNode(node: StructureNode, key: string): { node: StructureNode; declared: boolean } {
  if (node.kind === 'struct') {
    const field = node.fields.get(key);
    return field === undefined ? { node: anyNode, declared: false } : { node: field.node, declared: true };
  }
  return { node: node.kind === 'map' ? node.of : anyNode, declared: false };
}

const isGranularObject = (node: StructureNode, value: Value): value is ObjectValue =>
  isObject(value) && node.kind !== 'scalar' && node.kind !== 'list' && !node.atomic;

function fieldsOf(node: StructureNode, value: Value): MutableFieldSet | undefined {
  if (isGranularObject(node, value)) {
    const set: MutableFieldSet = {};
    for (const key of Object.keys(value)) {
      const child = childNode(node, key);
      const below = fieldsOf(child.node, value[key]);
      const item = value[key];
      const leaf = item === null || isEmptyObject(item);
      const member = leaf || !child.declared;
      if (below === undefined) set[`f:${key}`] = emptySet;
      else if (member && hasChildren(below as FieldSet)) set[`f:${key}`] = { '.': emptySet, ...below };
      else if (member) set[`f:${key}`] = emptySet;
      else if (!isEmpty(below as FieldSet)) set[`f:${key}`] = below;
    }
    return sortedNode(set) as MutableFieldSet;
  }
  if (node.kind === 'list' && node.listType !== 'atomic') {
    const set: MutableFieldSet = {};
    for (const item of Array.isArray(value) ? value : []) {
      const below = fieldsOf(node.of, item);
      set[itemElement(node, item)] =
        below === undefined || isEmpty(below as FieldSet) ? emptySet : { '.': emptySet, ...below };
    }
    return sortedNode(set) as MutableFieldSet;
  }
  if (value === null && node.kind !== 'scalar') return {};
  return undefined;
}

/** The fields that an object has, as its applier owns them: leaves, items of lists and keys of maps. */
export function fieldSetOf(node: StructureNode, value: ObjectValue): FieldSet {
  return (fieldsOf(node, value) ?? {}) as FieldSet;
}

/** The set with every declared field that has members below it as a member too. */
export function withNamedFields(node: StructureNode, set: FieldSet): FieldSet {
  const result: MutableFieldSet = {};
  for (const element in set) {
    const child = set[element] as FieldSet;
    if (element === '.' || !hasChildren(child)) {
      result[element] = child;
      continue;
    }
    const named = element.startsWith('f:') && node.kind === 'struct' && node.fields.has(element.slice(2));
    const below = withNamedFields(elementNode(node, element), child);
    result[element] = named && below['.'] === undefined ? { '.': emptySet, ...below } : below;
  }
  return result as FieldSet;
}

/** The structure of what a path element leads to. */
function elementNode(node: StructureNode, element: string): StructureNode {
  if (element.startsWith('f:')) return childNode(node, element.slice(2)).node;
  return node.kind === 'list' ? node.of : anyNode;
}

/**
 * The set as the present schema wants it: where a list, map or object has become atomic since, what was owned inside
 * it is now the whole.
 */
export function reconciled(node: StructureNode, set: FieldSet): FieldSet {
  let result: MutableFieldSet | undefined;
  for (const element in set) {
    const child = set[element] as FieldSet;
    if (element === '.' || isEmpty(child)) continue;
    const below = elementNode(node, element);
    const atomic = below.kind === 'list' ? below.listType === 'atomic' : below.kind !== 'scalar' && below.atomic;
    const now = atomic ? emptySet : reconciled(below, child);
    if (now === child) continue;
    result ??= { ...set };
    result[element] = now;
  }
  return (result ?? set) as FieldSet;
}

// ── merging ────────────────────────────────────────────────────────────────────────────────────────────────────────

const isEmptyOrNull = (value: Value): boolean =>
  value === null || value === undefined || (Array.isArray(value) ? value.length === 0 : isEmptyObject(value));

/** The live value with the applied one laid over it; undefined stands for "not there". */
function merged(node: StructureNode, live: Value, applied: Value): Value {
  if (applied === undefined) return live;
  if (live === undefined || live === applied) return applied;
  if (isEmptyOrNull(live) && isEmptyOrNull(applied)) return applied;
  const objects = (isObject(live) || live === null) && (isObject(applied) || applied === null);
  if (objects && isGranularObject(node, isObject(applied) ? applied : live)) {
    return mergedObject(node, (live ?? {}) as ObjectValue, (applied ?? {}) as ObjectValue);
  }
  const lists = (Array.isArray(live) || live === null) && (Array.isArray(applied) || applied === null);
  if (lists && node.kind === 'list' && node.listType !== 'atomic') {
    return mergedList(node, (live ?? []) as Value[], (applied ?? []) as Value[]);
  }
  return applied;
}

function mergedObject(node: StructureNode, live: ObjectValue, applied: ObjectValue): ObjectValue {
  const result = new Map(Object.entries(live));
  for (const [key, value] of Object.entries(applied)) {
    result.set(key, merged(childNode(node, key).node, result.get(key), value));
  }
  return Object.fromEntries(result);
}

/**
 * The applied list's order holds for its items; the live list's own items keep their places among those that both have.
 */
function mergedList(node: ListNode, live: readonly Value[], applied: readonly Value[]): Value[] {
  const liveElements = live.map((item) => itemElement(node, item));
  const appliedElements = applied.map((item) => itemElement(node, item));
  const liveAt = new Map<string, number>();
  for (const [at, element] of liveElements.entries()) liveAt.set(element, liveAt.has(element) ? -1 : at);
  const wanted = new Set(appliedElements);
  const shared = appliedElements.filter((element) => liveAt.has(element));
  const result: Value[] = [];
  let next = 0;
  let target = 0;
  /** Takes the live list's own items up to the next one that both have. */
  const advance = (): void => {
    while (next < live.length && liveElements[next] !== shared[target]) {
      if (!wanted.has(liveElements[next] as string)) result.push(live[next]);
      next++;
    }
  };
  for (const [at, element] of appliedElements.entries()) {
    advance();
    const place = liveAt.get(element) ?? -1;
    result.push(merged(node.of, place < 0 ? undefined : live[place], applied[at]));
    if (element !== shared[target]) continue;
    if (liveElements[next] === element) next++;
    target++;
  }
  advance();
  return result;
}

/** The live object with an applied one laid over it. Neither is changed; parts are shared. */
export function mergeTyped(node: StructureNode, live: ObjectValue, applied: ObjectValue): ObjectValue {
  return merged(node, live, applied) as ObjectValue;
}

// ── removing ───────────────────────────────────────────────────────────────────────────────────────────────────────

function without(node: StructureNode, value: Value, set: FieldSet): Value {
  if (isGranularObject(node, value)) {
    let result: Record<string, unknown> | undefined;
    for (const element in set) {
      const key = element.slice(2);
      if (!element.startsWith('f:') || !Object.hasOwn(value, key)) continue;
      const below = set[element] as FieldSet;
      const rest = isMember(below) ? undefined : without(childNode(node, key).node, value[key], below);
      if (rest === value[key]) continue;
      result ??= { ...value };
      if (rest === undefined) delete result[key];
      else result[key] = rest;
    }
    return result ?? value;
  }
  if (node.kind !== 'list' || node.listType === 'atomic' || !Array.isArray(value)) return value;
  const rest: Value[] = [];
  for (const item of value) {
    const below = set[itemElement(node, item)];
    if (below === undefined) rest.push(item);
    else if (!isMember(below)) rest.push(without(node.of, item, below));
  }
  return rest.length === value.length && rest.every((item, i) => item === value[i]) ? value : rest;
}

/** The object without the members of the set and all that is below them. */
export function removeFields(node: StructureNode, object: ObjectValue, set: FieldSet): ObjectValue {
  return without(node, object, set) as ObjectValue;
}
