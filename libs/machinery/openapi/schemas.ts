/** OpenAPI schemas of types, in the dialect of v2 or v3. */

import type { Field, SchemaSet, StructType, TypeName, TypeRef } from '../schema/ir.ts';
import { customSchema } from './custom-schemas.ts';

export type Dialect = 'v2' | 'v3';

export type JsonSchema = { [key: string]: unknown };

/** The words for a type (no field) or a field; undefined where there are none. */
export type Describe = (openapiName: string, field?: string) => string | undefined;

/**
 * Words from the file that `tools/generate` makes: by OpenAPI name the type's words, then its fields'. Types and fields
 * that it does not have get none.
 */
export function describeFrom(
  words: Readonly<Record<string, readonly [string, Readonly<Record<string, string>>]>>,
): Describe {
  return (name, field) => {
    const entry = Object.hasOwn(words, name) ? words[name] : undefined;
    if (field === undefined) return entry?.[0] || undefined;
    return entry && Object.hasOwn(entry[1], field) ? entry[1][field] : undefined;
  };
}

const prefixes: Record<Dialect, string> = { v2: '#/definitions/', v3: '#/components/schemas/' };

const apimachinery = 'io.k8s.apimachinery.pkg';

/** Types that are scalars to the codecs, yet stand under a name of their own in documents. */
const named: Readonly<Record<string, { name: string; v2: JsonSchema; v3: JsonSchema }>> = {
  quantity: {
    name: `${apimachinery}.api.resource.Quantity`,
    v2: { type: 'string' },
    v3: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  time: same(`${apimachinery}.apis.meta.v1.Time`, { type: 'string', format: 'date-time' }),
  microTime: same(`${apimachinery}.apis.meta.v1.MicroTime`, { type: 'string', format: 'date-time' }),
  duration: same(`${apimachinery}.apis.meta.v1.Duration`, { type: 'string' }),
  intOrString: {
    name: `${apimachinery}.util.intstr.IntOrString`,
    v2: { type: 'string', format: 'int-or-string' },
    v3: { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
  },
  rawExtension: same(`${apimachinery}.runtime.RawExtension`, { type: 'object' }),
  fieldsV1: same(`${apimachinery}.apis.meta.v1.FieldsV1`, { type: 'object' }),
  json: same('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON', {}),
};

function same(name: string, schema: JsonSchema): { name: string; v2: JsonSchema; v3: JsonSchema } {
  return { name, v2: schema, v3: schema };
}

const plain: Readonly<Record<string, JsonSchema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
};

/** What `any` is called: by the Go type that stands behind it. */
function anyName(goType: string | undefined): string {
  if (goType?.endsWith('FieldsV1')) return 'fieldsV1';
  if (goType?.endsWith('JSON')) return 'json';
  return 'rawExtension';
}

/** Schemas of the types that are asked for, and of those that they refer to. */
export class Schemas {
  readonly #set: SchemaSet;
  readonly #dialect: Dialect;
  readonly #describe: Describe;
  readonly #done = new Map<string, JsonSchema>();

  constructor(set: SchemaSet, dialect: Dialect, describe: Describe = () => undefined) {
    this.#set = set;
    this.#dialect = dialect;
    this.#describe = describe;
  }

  /** All schemas so far, by name. */
  all(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#done].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** A reference to a type's schema, which from now on is among `all()`. */
  refTo(type: TypeName): JsonSchema {
    const struct = this.#set.get(type);
    const name = struct.openapiName ?? struct.name;
    if (!this.#done.has(name)) {
      // Named first: types may contain themselves.
      this.#done.set(name, {});
      this.#done.set(name, this.#struct(struct, name));
    }
    return { $ref: prefixes[this.#dialect] + name };
  }

  #words(name: string, field?: string): JsonSchema {
    const description = this.#describe(name, field);
    return description === undefined ? {} : { description };
  }

  #refToNamed(key: string): JsonSchema {
    const known = named[key] as (typeof named)[string];
    if (!this.#done.has(known.name))
      this.#done.set(known.name, { ...this.#words(known.name), ...known[this.#dialect] });
    return { $ref: prefixes[this.#dialect] + known.name };
  }

  #struct(struct: StructType, name: string): JsonSchema {
    if (struct.either) return this.#eitherOf(struct, name);
    if (struct.stated) return this.#custom(struct.stated, struct);
    const required = struct.fields.filter((field) => field.required).map((field) => field.name);
    const properties: [string, JsonSchema][] = struct.fields.map((field) => [field.name, this.#field(field, name)]);
    return {
      ...this.#words(name),
      ...(properties.length > 0
        ? { properties: Object.fromEntries(properties.sort(([a], [b]) => (a < b ? -1 : 1))) }
        : {}),
      ...(required.length > 0 ? { required } : {}),
      type: 'object',
      ...(struct.gvk ? { 'x-kubernetes-group-version-kind': sortedKinds(struct.gvk) } : {}),
      ...(struct.mapType ? { 'x-kubernetes-map-type': struct.mapType } : {}),
      ...(struct.unions ? { 'x-kubernetes-unions': struct.unions.map(union) } : {}),
    };
  }

  #custom(stated: object, { gvk }: StructType): JsonSchema {
    const metadata = this.refTo('meta.v1.ObjectMeta');
    // Every kind has the same words on these.
    const words = (field: string) => this.#words('io.k8s.api.core.v1.Pod', field);
    return customSchema(stated, this.#dialect, {
      gvk: gvk?.[0] ?? { group: '', version: '', kind: '' },
      apiVersion: words('apiVersion'),
      kind: words('kind'),
      metadata:
        this.#dialect === 'v2' ? { ...words('metadata'), ...metadata } : { ...words('metadata'), allOf: [metadata] },
    });
  }

  /** Nothing is said of what may stand there, but the schema within is published, too. */
  #eitherOf(struct: StructType, name: string): JsonSchema {
    for (const field of struct.fields) if (field.type.k === 'ref') this.refTo(field.type.name);
    return this.#words(name);
  }

  #field(field: Field, owner: string): JsonSchema {
    const schema = this.#type(field.type, field.goType);
    const words = this.#words(owner, field.name);
    const extensions: JsonSchema = {
      ...(field.listType ? { 'x-kubernetes-list-type': field.listType } : {}),
      ...(field.listMapKeys ? { 'x-kubernetes-list-map-keys': field.listMapKeys } : {}),
      ...(field.mapType ? { 'x-kubernetes-map-type': field.mapType } : {}),
      ...(field.patchStrategy ? { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') } : {}),
      ...(field.patchMergeKey ? { 'x-kubernetes-patch-merge-key': field.patchMergeKey } : {}),
    };
    if (this.#dialect === 'v2') return { ...words, ...schema, ...extensions };
    const fallback = defaultOf(field);
    const beside = { ...words, ...extensions, ...(fallback === undefined ? {} : { default: fallback }) };
    // Nothing may stand beside a reference in this dialect.
    return '$ref' in schema && Object.keys(beside).length > 0
      ? { allOf: [schema], ...beside }
      : { ...schema, ...beside };
  }

  #type(type: TypeRef, goType?: string): JsonSchema {
    switch (type.k) {
      case 'list':
        return { type: 'array', items: this.#item(type.of, goType) };
      case 'map':
        return { type: 'object', additionalProperties: this.#item(type.of, goType) };
      case 'ref':
        return this.refTo(type.name);
      case 'struct':
        return this.#struct(type.type, type.type.name);
      case 'any':
        return goType?.startsWith('interface') ? {} : this.#refToNamed(anyName(goType));
      default:
        return plain[type.k] ?? this.#refToNamed(type.k);
    }
  }

  /** Items say their zero, in the dialect that has defaults. */
  #item(type: TypeRef, goType?: string): JsonSchema {
    const schema = this.#type(type, goType?.replace(/^(\[\]|map\[[^\]]*\])/, ''));
    if (this.#dialect === 'v2') return schema;
    if (type.k === 'ref' && !this.#set.get(type.name).either) return { allOf: [schema], default: {} };
    const zero = { string: '', bool: false, int32: 0, int64: 0, double: 0 }[type.k as string];
    return zero === undefined ? schema : { ...schema, default: zero };
  }
}

/** The published default; of a struct that is always there, the empty one. */
function defaultOf(field: Field): unknown {
  if ('default' in field) return field.default;
  return typeof field.zero === 'object' && field.zero !== null ? {} : undefined;
}

function sortedKinds(kinds: NonNullable<StructType['gvk']>): object[] {
  return kinds.map(({ group, kind, version }) => ({ group, kind, version }));
}

function union({
  discriminator,
  fields,
}: {
  discriminator?: string;
  fields: Readonly<Record<string, string>>;
}): object {
  return { ...(discriminator ? { discriminator } : {}), 'fields-to-discriminateBy': fields };
}
