/**
 * Strategic merge patch: a merge patch that knows, from the schema, which lists are merged and by which key, and that
 * obeys directives.
 *
 *   `$patch: replace | delete`             on an object, or on an item of a merged list
 *   `$deleteFromPrimitiveList/<field>`     scalars to take out of a merged list
 *   `$setElementOrder/<field>`             how a merged list is to be ordered
 *   `$retainKeys`                          the keys that an object keeps; others are cleared
 *
 * Items that a patch adds come in its own order, before those that only the server has, unless the server had both.
 * Neither the document nor the patch is changed; what is not touched is shared with the result.
 */
import { put } from '../codec/values.ts';
import * as errors from '../errors.ts';
import { bare, compareBytes, goTypeOf, jsonTypeOf } from '../quote.ts';
import type { Field, SchemaSet, StructType, TypeRef } from '../schema/ir.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const directive = '$patch';
const retainKeys = '$retainKeys';
const deletePrefix = '$deleteFromPrimitiveList';
const orderPrefix = '$setElementOrder';

const isDirective = (key: string): boolean =>
  key.startsWith('$') &&
  (key === directive || key === retainKeys || key.startsWith(`${deletePrefix}/`) || key.startsWith(`${orderPrefix}/`));

/** Directives of an object about others of its members. */
const isArrangement = (key: string): boolean => key === retainKeys || key.startsWith(orderPrefix);

/** How a list merges. */
interface ListRules {
  readonly merge: boolean;
  readonly key: string;
  readonly of: TypeRef;
  /** For messages. */
  readonly name: string;
}

const anything: TypeRef = { k: 'any' };

/** Malformed directives: 400. */
const malformed = (what: string): errors.ApiError => errors.badRequest(`invalid patch format of ${what}`);

const withoutMergeKey = (item: unknown, key: string): errors.ApiError =>
  errors.unclassified(`map: ${bare(item)} does not contain declared merge key: ${key}`);

const wrongArgument = (wanted: string, value: unknown): errors.ApiError =>
  errors.unclassified(
    value === null || value === undefined
      ? `expected a ${wanted}, but received a nil`
      : `expected a ${wanted}, but received a ${goTypeOf(value)}`,
  );

function unknownDirective(value: unknown, item: unknown): errors.ApiError {
  const shown =
    typeof value === 'string' ? value : value === null ? '%!s(<nil>)' : `%!s(${goTypeOf(value)}=${bare(value)})`;
  return errors.unclassified(`unknown patch type: ${shown} in map: ${bare(item)}`);
}

/** Whether a patch's value has none of what is not stored: directives, and members that are null. */
function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (!isPlain(item)) return false;
    return true;
  }
  for (const key in value) {
    const item = (value as JsonObject)[key];
    if (item === null || isDirective(key) || !isPlain(item)) return false;
  }
  return true;
}

/** What a patch adds is stored without its directives and nulls; most values are without them as they are. */
const plain = (value: unknown): unknown => (isPlain(value) ? value : stripped(value));

function stripped(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(isObject(item) && item[directive] === 'delete')).map(stripped);
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => item !== null && !isDirective(key))
      .map(([key, item]) => [key, stripped(item)]),
  );
}

const hasKey = (item: unknown, key: string): item is JsonObject => isObject(item) && Object.hasOwn(item, key);

/** What tells an item of a list from others: its merge key's value, or itself where there is none. */
function identity(item: unknown, key: string): string | undefined {
  const value = key === '' ? item : hasKey(item, key) ? item[key] : undefined;
  return value === undefined ? undefined : typeof value === 'object' ? bare(value) : `${typeof value} ${String(value)}`;
}

/** Where each item stands, the first time it appears, by what tells it from others. */
function places(list: readonly unknown[], key: string): Map<string, number> {
  const found = new Map<string, number>();
  for (let at = 0; at < list.length; at++) {
    const id = identity(list[at], key);
    if (id !== undefined && !found.has(id)) found.set(id, at);
  }
  return found;
}

const placeOf = (id: string | undefined, among: ReadonlyMap<string, number>): number =>
  id === undefined ? -1 : (among.get(id) ?? -1);

/** The field that a directive such as `$setElementOrder/containers` names. */
function namedField(key: string, what: string): string {
  const parts = key.split('/');
  if (parts.length !== 2) throw malformed(what);
  return parts[1] as string;
}

function checkItems(lists: readonly (readonly unknown[])[]): 'map' | 'scalar' {
  let kind: string | undefined;
  for (const list of lists) {
    for (const item of list) {
      const type = goTypeOf(item);
      if (type === '[]interface {}') throw errors.unprocessableBecause('lists of lists are not supported');
      if (kind === undefined) kind = type;
      else if (kind !== type) {
        throw errors.unclassified(`list element types are not identical: ${bare([kind, type])}`);
      }
    }
  }
  return kind === 'map[string]interface {}' ? 'map' : 'scalar';
}

/**
 * Orders a merged list: items of the patch as `order` has them, the others as the server had them, and between the two
 * whatever the server had first comes first, where it had both.
 */
function ordered(
  merged: readonly unknown[],
  order: readonly unknown[],
  server: readonly unknown[],
  key: string,
): unknown[] {
  const inOrder = places(order, key);
  const onServer = places(server, key);
  const ours: Placed[] = [];
  const theirs: Placed[] = [];
  for (const item of merged) {
    const id = identity(item, key);
    const placed = { item, inOrder: placeOf(id, inOrder), onServer: placeOf(id, onServer) };
    (placed.inOrder >= 0 ? ours : theirs).push(placed);
  }
  ours.sort((a, b) => a.inOrder - b.inOrder);
  theirs.sort((a, b) => a.onServer - b.onServer);
  const result: unknown[] = [];
  let next = 0;
  for (const { item, onServer: limit } of ours) {
    for (; limit >= 0 && next < theirs.length; next++) {
      const other = theirs[next] as Placed;
      if (other.onServer < 0 || other.onServer >= limit) break;
      result.push(other.item);
    }
    result.push(item);
  }
  for (; next < theirs.length; next++) result.push((theirs[next] as Placed).item);
  return result;
}

/** An item of a merged list, and where it stands in what orders it; -1 where it is not there. */
interface Placed {
  readonly item: unknown;
  readonly inOrder: number;
  readonly onServer: number;
}

/** Checks that the patch's items stand in the order that `$setElementOrder` wants, with none missing there. */
function checkOrder(patch: readonly unknown[], order: readonly unknown[], key: string): void {
  if (patch.length === 0 || order.length === 0) return;
  const kept = patch.filter((item) => !(key !== '' && isObject(item) && item[directive] === 'delete'));
  let at = 0;
  for (const wanted of order) {
    if (at >= kept.length) break;
    for (const item of [kept[at], wanted]) if (key !== '' && !hasKey(item, key)) throw withoutMergeKey(item, key);
    if (identity(kept[at], key) === identity(wanted, key)) at++;
  }
  if (at < kept.length) {
    throw errors.unclassified(
      `The order in patch list:\n${bare(patch)}\n doesn't match ${orderPrefix} list:\n${bare(order)}\n`,
    );
  }
}

/** Merges patches into objects of one set of types. Keeps what it has looked up; make one and share it. */
export class StrategicMerge {
  readonly #schemas: SchemaSet;
  readonly #fields = new WeakMap<StructType, ReadonlyMap<string, Field>>();

  constructor(schemas: SchemaSet) {
    this.#schemas = schemas;
  }

  /**
   * Applies a patch to an object of type `type`.
   *
   * @throws ApiError: 400 for malformed directives, 500 (unclassified) for others, as upstream answers
   */
  apply(type: TypeRef, document: JsonObject, patch: JsonObject): JsonObject {
    return this.#object(type, document, patch);
  }

  #struct(type: TypeRef): StructType | undefined {
    if (type.k === 'struct') return type.type;
    return type.k === 'ref' ? this.#schemas.get(type.name) : undefined;
  }

  #field(struct: StructType, name: string): Field | undefined {
    let fields = this.#fields.get(struct);
    if (fields === undefined) {
      fields = new Map(struct.fields.map((field) => [field.name, field]));
      this.#fields.set(struct, fields);
    }
    return fields.get(name);
  }

  /** The declared field of an object type; undefined for maps, throws for a field that does not exist. */
  #declared(type: TypeRef, name: string): Field | undefined {
    if (type.k === 'map') return undefined;
    const struct = this.#struct(type);
    const field = struct === undefined ? undefined : this.#field(struct, name);
    if (field !== undefined) return field;
    const typeName = struct === undefined ? 'RawExtension' : (struct.name.split('.').at(-1) ?? struct.name);
    throw errors.unclassified(
      `unable to find api field in struct ${typeName} for the json field ${JSON.stringify(name)}`,
    );
  }

  #listRules(type: TypeRef, name: string): ListRules {
    const field = this.#declared(type, name);
    const listType = field?.type ?? (type.k === 'map' ? type.of : anything);
    const of = listType.k === 'list' ? listType.of : anything;
    return {
      merge: field?.patchStrategy?.includes('merge') ?? false,
      key: field?.patchMergeKey ?? '',
      of,
      name: this.#struct(of)?.name.split('.').at(-1) ?? of.k,
    };
  }

  #object(type: TypeRef, original: JsonObject, patch: JsonObject): JsonObject {
    if (Object.hasOwn(patch, directive)) {
      const { [directive]: wanted, ...rest } = patch;
      if (wanted === 'replace') return plain(rest) as JsonObject;
      if (wanted === 'delete') return {};
      throw unknownDirective(wanted, patch);
    }
    const result: Record<string, unknown> = { ...original };
    let given = Object.keys(patch);
    if (given.some(isArrangement)) {
      const changes = new Map(Object.entries(patch));
      this.#retain(result, changes);
      this.#order(type, original, result, changes);
      given = [...changes.keys()];
    }
    for (const name of given.sort(compareBytes)) {
      const value = patch[name];
      const deletes = name.startsWith(deletePrefix);
      const key = deletes ? namedField(name, 'primitive list') : name;
      const current = Object.hasOwn(result, key) ? result[key] : undefined;
      if (value === null) delete result[key];
      else if (current === undefined || goTypeOf(current) !== goTypeOf(value)) {
        if (!deletes) put(result, key, plain(value));
      } else if (Array.isArray(value)) {
        put(result, key, this.#list(this.#listRules(type, key), current as unknown[], value, deletes));
      } else if (isObject(value)) {
        const field = this.#declared(type, key);
        const below = field?.type ?? (type.k === 'map' ? type.of : anything);
        const replaces = field?.patchStrategy?.includes('replace') ?? false;
        put(result, key, replaces ? plain(value) : this.#object(below, current as JsonObject, value));
      } else put(result, key, value);
    }
    return result;
  }

  #retain(result: Record<string, unknown>, changes: Map<string, unknown>): void {
    if (!changes.has(retainKeys)) return;
    const wanted = changes.get(retainKeys);
    changes.delete(retainKeys);
    if (!Array.isArray(wanted)) throw malformed('retainKeys');
    const kept = new Set<unknown>(wanted);
    for (const [key, value] of changes) {
      const special = key.startsWith(deletePrefix) || key.startsWith(orderPrefix);
      if (value !== null && !special && !kept.has(key)) throw malformed('retainKeys');
    }
    for (const key of Object.keys(result)) if (!kept.has(key)) delete result[key];
  }

  /** Merges and orders the lists that `$setElementOrder` names, and takes them out of the changes. */
  #order(type: TypeRef, original: JsonObject, result: Record<string, unknown>, changes: Map<string, unknown>): void {
    for (const [given, order] of [...changes]) {
      if (!given.startsWith(orderPrefix)) continue;
      changes.delete(given);
      const key = namedField(given, 'setElementOrder list');
      if (!Array.isArray(order)) throw wrongArgument('[]interface {}', order);
      const hasServer = Object.hasOwn(result, key);
      const hasPatch = changes.has(key) && changes.get(key) !== null;
      if (!hasServer && !hasPatch) continue;
      const server: unknown = hasServer ? result[key] : [];
      const patch: unknown = hasPatch ? changes.get(key) : [];
      if (!Array.isArray(server)) throw wrongArgument('[]interface {}', server);
      if (!Array.isArray(patch)) throw wrongArgument('[]interface {}', patch);
      // An explicit null removes the list after all.
      if (changes.has(key) && !hasPatch) continue;
      const rules = this.#listRules(type, key);
      checkOrder(patch, order, rules.key);
      let merged: unknown[] = server;
      if (hasPatch) merged = hasServer ? this.#list(rules, server, patch, false) : (plain(patch) as unknown[]);
      checkItems([server, patch]);
      if (rules.key !== '') {
        for (const item of [...order, ...merged]) if (!hasKey(item, rules.key)) throw withoutMergeKey(item, rules.key);
      }
      const before = original[key];
      put(result, key, ordered(merged, order, Array.isArray(before) ? before : server, rules.key));
      changes.delete(key);
    }
  }

  #list(rules: ListRules, original: readonly unknown[], patch: readonly unknown[], deletes: boolean): unknown[] {
    if (!rules.merge && !deletes) return plain(patch) as unknown[];
    if (original.length === 0 && patch.length === 0) return [];
    if (checkItems([original, patch]) === 'scalar') {
      const deleted = places(patch, '');
      if (deletes) return original.filter((item) => placeOf(identity(item, ''), deleted) < 0);
      const all = [...original, ...patch];
      const first = places(all, '');
      const union = all.filter((item, at) => placeOf(identity(item, ''), first) === at);
      return ordered(union, patch, original, '');
    }
    if (rules.key === '') throw errors.unclassified(`cannot merge lists without merge key for ${rules.name}`);
    return this.#items(rules, original, patch as readonly JsonObject[]);
  }

  #items({ key, of }: ListRules, original: readonly unknown[], patch: readonly JsonObject[]): unknown[] {
    let server = [...original];
    const gone = new Set<string | undefined>();
    let changes: JsonObject[] = [];
    let replaced = false;
    for (const item of patch) {
      if (!Object.hasOwn(item, directive)) changes.push(item);
      else if (item[directive] === 'delete') {
        if (!hasKey(item, key)) throw withoutMergeKey(item, key);
        gone.add(identity(item, key));
      } else if (item[directive] === 'replace') replaced = true;
      else if (item[directive] === 'merge') {
        throw errors.unclassified('merging lists cannot yet be specified in the patch');
      } else throw unknownDirective(item[directive], item);
    }
    // A `$patch: replace` item stands for the whole list: what else the patch has becomes the list.
    if (replaced) {
      server = changes.map(plain);
      changes = [];
    }
    if (gone.size > 0) server = server.filter((item) => !gone.has(identity(item, key) ?? ''));
    const merged = [...server];
    const placed = places(server, key);
    for (const item of changes) {
      const id = identity(item, key);
      if (id === undefined) throw withoutMergeKey(item, key);
      const at = placed.get(id);
      if (at === undefined) placed.set(id, merged.push(plain(item)) - 1);
      else merged[at] = this.#object(of, merged[at] as JsonObject, item);
    }
    return ordered(merged, changes, server, key);
  }
}

/** Checks that a request's body has the form of a strategic merge patch. @throws ApiError 400 */
export function strategicPatchOf(body: unknown): JsonObject {
  if (isObject(body)) return body;
  if (body === null) return {};
  throw errors.badRequest(`json: cannot unmarshal ${jsonTypeOf(body)} into Go value of type map[string]interface {}`);
}
