/**
 * The compact form of the schema: how `api/schema/*.json` is written, and how one type of it becomes a `StructType`.
 *
 * A type is written as text: a scalar (`string`, `int64`, `quantity` …), `[]X` a list, `{}X` a map with string keys,
 * `[w]X` a list that protobuf wraps in a message of its own, `Name` a type of the same package, `core.v1.Name` one of
 * another. One worked example, a container's ports:
 *
 *   "ports": {"t":"[]ContainerPort","pb":6,"list":"map","keys":["containerPort","protocol"],"patch":"merge","mergeKey":"containerPort"}
 */
import type { Field, ListType, Scalar, StructType, TypeRef } from './ir.ts';

export interface CompactField {
  /** Type text, see above. */
  t: string;
  /** Protobuf number. */
  pb?: number;
  /** Embedded structs that hold the field in protobuf and in error paths: name and number, outermost first. */
  in?: [string, number][];
  /** A pointer upstream: an explicit zero survives. */
  p?: true;
  /** What is written when empty. */
  z?: unknown;
  /** What decode errors call the type, where it is not the implied name. */
  go?: string;
  req?: true;
  /** Published default. */
  d?: unknown;
  list?: ListType;
  keys?: string[];
  map?: 'atomic' | 'granular';
  /** Patch strategies, comma separated. */
  patch?: string;
  mergeKey?: string;
}

export interface CompactType {
  /** A kind of the file's own group and version. */
  kind?: true;
  /** Kinds of other groups: `group/version/kind`. */
  gvk?: string[];
  /** Starts with `kind` and `apiVersion`, which have no protobuf number. */
  meta?: true;
  map?: 'atomic';
  unions?: { discriminator?: string; fields: Record<string, string> }[];
  noProtobuf?: true;
  either?: 'array' | 'bool';
  fields?: Record<string, CompactField>;
}

export interface CompactFile {
  /** Short package name, `core.v1`: the first part of its types' names. */
  package: string;
  group: string;
  version: string;
  /** Package in OpenAPI documents and in protobuf. */
  openapi: string;
  protobuf: string;
  types: Record<string, CompactType>;
}

/** What a type needs to know of its file. */
export type CompactPackage = Omit<CompactFile, 'types'>;

const scalars: ReadonlySet<string> = new Set<Scalar>([
  'string',
  'bool',
  'int32',
  'int64',
  'double',
  'bytes',
  'quantity',
  'time',
  'microTime',
  'duration',
  'intOrString',
  'any',
]);

/** Parses a type text; names without a package belong to `pkg`. */
export function parseTypeRef(text: string, pkg: string): TypeRef {
  if (text.startsWith('[]')) return { k: 'list', of: parseTypeRef(text.slice(2), pkg) };
  if (text.startsWith('[w]')) return { k: 'list', of: parseTypeRef(text.slice(3), pkg), wrapped: true };
  if (text.startsWith('{}')) return { k: 'map', of: parseTypeRef(text.slice(2), pkg) };
  if (scalars.has(text)) return { k: text as Scalar };
  return { k: 'ref', name: text.includes('.') ? text : `${pkg}.${text}` };
}

/** The Go type that decode errors cite for a type, where the source does not name another. */
export function impliedGoType(type: TypeRef): string {
  switch (type.k) {
    case 'list':
      return `[]${impliedGoType(type.of)}`;
    case 'map':
      return `map[string]${impliedGoType(type.of)}`;
    case 'ref':
      return type.name.split('.').slice(-2).join('.');
    case 'struct':
      return type.type.name;
    case 'double':
      return 'float64';
    case 'bytes':
      return '[]uint8';
    case 'quantity':
      return 'resource.Quantity';
    case 'time':
      return 'v1.Time';
    case 'microTime':
      return 'v1.MicroTime';
    case 'duration':
      return 'v1.Duration';
    case 'intOrString':
      return 'intstr.IntOrString';
    case 'any':
      return 'runtime.RawExtension';
    default:
      return type.k;
  }
}

/** Expands one compact type into its frozen `StructType`. */
export function expandType(name: string, compact: CompactType, pkg: CompactPackage): StructType {
  const fields: Field[] = [];
  if (compact.meta) {
    fields.push(
      { name: 'kind', type: { k: 'string' }, goType: 'string' },
      { name: 'apiVersion', type: { k: 'string' }, goType: 'string' },
    );
  }
  for (const [json, field] of Object.entries(compact.fields ?? {})) fields.push(expandField(json, field, pkg.package));
  const gvk = compact.kind ? [{ group: pkg.group, version: pkg.version, kind: name }] : compact.gvk?.map(splitGvk);
  return deepFreeze({
    name: `${pkg.package}.${name}`,
    fields,
    ...(compact.unions ? { unions: compact.unions } : {}),
    ...(gvk ? { gvk } : {}),
    ...(pkg.openapi ? { openapiName: `${pkg.openapi}.${name}` } : {}),
    ...(pkg.protobuf && !compact.noProtobuf ? { protobufName: `${pkg.protobuf}.${name}` } : {}),
    ...(compact.map ? { mapType: compact.map } : {}),
    ...(compact.either ? { either: compact.either } : {}),
  });
}

function expandField(name: string, field: CompactField, pkg: string): Field {
  const type = parseTypeRef(field.t, pkg);
  return {
    name,
    type,
    goType: field.go ?? impliedGoType(type),
    ...(field.pb ? { number: field.pb } : {}),
    ...(field.in ? { inline: field.in.map(([goName, number]) => ({ name: goName, number })) } : {}),
    ...(field.req ? { required: true } : {}),
    ...('z' in field ? { zero: field.z } : {}),
    ...(field.p ? { keepsZero: true } : {}),
    ...('d' in field ? { default: field.d } : {}),
    ...(field.list ? { listType: field.list } : {}),
    ...(field.keys ? { listMapKeys: field.keys } : {}),
    ...(field.map ? { mapType: field.map } : {}),
    ...(field.patch ? { patchStrategy: field.patch.split(',') as ('merge' | 'replace' | 'retainKeys')[] } : {}),
    ...(field.mergeKey ? { patchMergeKey: field.mergeKey } : {}),
  };
}

function splitGvk(text: string): { group: string; version: string; kind: string } {
  const [group = '', version = '', kind = ''] = text.split('/');
  return { group, version, kind };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
