/**
 * The structure of a type as server-side apply sees it: which parts are owned one by one and which only as a whole.
 * Compiled once from the schema; built-in types and custom resources come out alike.
 */
import { json } from '../quote.ts';
import type { Field, SchemaSet, StructType, TypeRef } from '../schema/ir.ts';

/** What a scalar of an applied object must be. */
export type ScalarKind = 'string' | 'numeric' | 'boolean' | 'untyped';

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly scalar: ScalarKind;
}

/** Anything. Not atomic: objects are owned by key, lists as a whole. Atomic: all of it is one leaf. */
export interface AnyNode {
  readonly kind: 'any';
  readonly atomic: boolean;
}

export interface FieldNode {
  readonly name: string;
  /** `f:name` */
  readonly element: string;
  readonly node: StructureNode;
  /** Its place among the fields by name. */
  readonly rank: number;
  /** The value that an absent field has on the wire (`null`, `{}`, `""`, 0 …); undefined where it is left out. */
  readonly zero: unknown;
}

export interface StructNode {
  readonly kind: 'struct';
  readonly atomic: boolean;
  /** Undeclared fields are allowed. */
  readonly open: boolean;
  readonly fields: ReadonlyMap<string, FieldNode>;
  /** By name. */
  readonly sorted: readonly FieldNode[];
  /** Those that are on the wire even when absent, by name. */
  readonly zeros: readonly FieldNode[];
}

export interface MapNode {
  readonly kind: 'map';
  readonly atomic: boolean;
  readonly of: StructureNode;
}

export interface KeyField {
  readonly name: string;
  /** `"name":` */
  readonly label: string;
  /** What an item has that leaves the key out; undefined: nothing. */
  readonly default: unknown;
}

export interface ListNode {
  readonly kind: 'list';
  readonly listType: 'atomic' | 'set' | 'map';
  /** For `map`: by name. */
  readonly keys: readonly KeyField[];
  readonly of: StructureNode;
}

export type StructureNode = ScalarNode | AnyNode | StructNode | MapNode | ListNode;

/** What lies below something undeclared. */
export const anyNode: AnyNode = Object.freeze({ kind: 'any', atomic: false });
const opaqueNode: AnyNode = Object.freeze({ kind: 'any', atomic: true });

const scalarNodes: Readonly<Record<ScalarKind, ScalarNode>> = Object.freeze({
  string: Object.freeze({ kind: 'scalar', scalar: 'string' }),
  numeric: Object.freeze({ kind: 'scalar', scalar: 'numeric' }),
  boolean: Object.freeze({ kind: 'scalar', scalar: 'boolean' }),
  untyped: Object.freeze({ kind: 'scalar', scalar: 'untyped' }),
});

function scalarNode(type: TypeRef, field: Field | undefined): StructureNode {
  switch (type.k) {
    case 'string':
    case 'bytes':
    case 'duration':
      return scalarNodes.string;
    case 'int32':
    case 'int64':
    case 'double':
      return scalarNodes.numeric;
    case 'bool':
      return scalarNodes.boolean;
    case 'any':
      // A built-in type's embedded object (it has a Go type) is opaque; a custom resource's preserved content is not.
      return field?.goType === undefined ? anyNode : opaqueNode;
    default:
      // Quantities, times and int-or-string are checked when the merged object is decoded.
      return scalarNodes.untyped;
  }
}

/** Of a resource within a resource these are known, whatever its schema says. */
const RESOURCE_FIELDS: readonly Field[] = Object.freeze([
  { name: 'apiVersion', type: { k: 'string' } },
  { name: 'kind', type: { k: 'string' } },
  { name: 'metadata', type: { k: 'ref', name: 'meta.v1.ObjectMeta' } },
]);

function fieldsOf({ embeddedResource, fields }: StructType): readonly Field[] {
  if (!embeddedResource) return fields;
  return [...RESOURCE_FIELDS, ...fields.filter(({ name }) => !RESOURCE_FIELDS.some((known) => known.name === name))];
}

const byName = (a: Field, b: Field): number => (a.name < b.name ? -1 : 1);

/** Compiles types on demand and keeps them; one for each `SchemaSet`. */
export class Structures {
  readonly #schemas: SchemaSet;
  readonly #structs = new WeakMap<StructType, { granular?: StructNode; atomic?: StructNode }>();

  constructor(schemas: SchemaSet) {
    this.#schemas = schemas;
  }

  /** The structure of a type. */
  of(type: TypeRef): StructureNode {
    return this.#node(type, undefined);
  }

  #node(type: TypeRef, field: Field | undefined): StructureNode {
    switch (type.k) {
      case 'ref':
        return this.#struct(this.#schemas.get(type.name), field?.mapType);
      case 'struct':
        return this.#struct(type.type, field?.mapType);
      case 'map':
        return { kind: 'map', atomic: field?.mapType === 'atomic', of: this.#node(type.of, undefined) };
      case 'list':
        return this.#list(type.of, field);
      default:
        return scalarNode(type, field);
    }
  }

  #struct(type: StructType, mapTypeHere: 'atomic' | 'granular' | undefined): StructNode {
    // What the field says goes before what its type says.
    const atomic = (mapTypeHere ?? type.mapType) === 'atomic';
    let known = this.#structs.get(type);
    if (known === undefined) this.#structs.set(type, (known = {}));
    const found = atomic ? known.atomic : known.granular;
    if (found !== undefined) return found;
    const fields = new Map<string, FieldNode>();
    const sorted: FieldNode[] = [];
    const zeros: FieldNode[] = [];
    const node: StructNode = {
      kind: 'struct',
      atomic,
      open: type.preserveUnknownFields === true,
      fields,
      sorted,
      zeros,
    };
    // Kept before its fields are compiled, so that types may contain themselves.
    if (atomic) known.atomic = node;
    else known.granular = node;
    for (const [rank, field] of fieldsOf(type).toSorted(byName).entries()) {
      const compiled: FieldNode = {
        name: field.name,
        element: `f:${field.name}`,
        node: this.#node(field.type, field),
        rank,
        zero: field.zero,
      };
      fields.set(field.name, compiled);
      sorted.push(compiled);
    }
    zeros.push(...sorted.filter((field) => field.zero !== undefined));
    return node;
  }

  #list(of: TypeRef, field: Field | undefined): ListNode {
    const listType = field?.listType ?? 'atomic';
    const keys = [...(field?.listMapKeys ?? [])].sort().map((name): KeyField => {
      const struct = of.k === 'ref' ? this.#schemas.get(of.name) : of.k === 'struct' ? of.type : undefined;
      const declared = struct?.fields.find((other) => other.name === name);
      // What is always on the wire can always serve as a key: an absent one is its zero.
      const fallback = declared?.default ?? declared?.zero;
      return { name, label: `${json(name)}:`, default: fallback ?? undefined };
    });
    return { kind: 'list', listType, keys, of: this.#node(of, undefined) };
  }
}

/** Why an item of a list cannot be told from others. */
export class ListItemError extends Error {
  override readonly name = 'ListItemError';
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Strings that need no escapes in JSON, HTML's own included. */
const plain = /^[ !#-%'-;=?-[\]-~]*$/;
const text = (value: unknown): string => (typeof value === 'string' && plain.test(value) ? `"${value}"` : json(value));

/**
 * The path element of an item of a `set` or `map` list.
 *
 * @throws ListItemError
 */
export function itemElement(list: ListNode, item: unknown): string {
  if (list.listType === 'set') {
    if (isObject(item)) throw new ListItemError("associative list without keys has an element that's a map type");
    if (Array.isArray(item)) throw new ListItemError('not supported: associative list with lists as elements');
    return `v:${text(item)}`;
  }
  if (item === null) throw new ListItemError('associative list with keys may not have a null element');
  if (!isObject(item)) throw new ListItemError('associative list with keys may not have non-map elements');
  // Keys may be absent as long as one is there: such an item is told from others by those it has.
  let out = '';
  for (const key of list.keys) {
    const value = Object.hasOwn(item, key.name) ? item[key.name] : key.default;
    if (value !== undefined) out += (out === '' ? 'k:{' : ',') + key.label + text(value);
  }
  if (out === '') {
    const names = `[${list.keys.map(({ name }) => json(name)).join(' ')}]`;
    throw new ListItemError(
      `associative list with keys has an element that omits all key fields ${names} (and doesn't have default values for any key fields)`,
    );
  }
  return `${out}}`;
}
