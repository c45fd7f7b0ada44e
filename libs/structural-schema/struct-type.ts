/** From a structural schema to the form of types that codecs, patches and server-side apply work with. */
import type { Field, ListType, StructType, TypeName, TypeRef } from '../machinery/schema/ir.ts';
import { itemsOf, listMapKeysOf, propertiesOf, RESOURCE_FIELDS, type Schema, valuesOf } from './schema.ts';

const STRING: TypeRef = { k: 'string' };

/**
 * The type of a resource: apiVersion, kind and metadata first, then its properties by name. `gvk` names it.
 *
 * @example structTypeOf('example.com.v1.Thing', { group: 'example.com', version: 'v1', kind: 'Thing' }, { type: 'object' })
 */
export function structTypeOf(
  name: TypeName,
  gvk: { readonly group: string; readonly version: string; readonly kind: string },
  schema: Schema,
): StructType {
  const own = propertiesOf(schema).filter(([property]) => !RESOURCE_FIELDS.has(property));
  return {
    ...struct(name, schema),
    gvk: [gvk],
    openapiName: openapiNameOf(gvk),
    stated: schema,
    fields: [
      { name: 'apiVersion', type: STRING },
      { name: 'kind', type: STRING },
      { name: 'metadata', type: { k: 'ref', name: 'meta.v1.ObjectMeta' } },
      ...own.map(([property, below]) => fieldOf(name, property, below, schema)),
    ],
  };
}

/** The type of a list of resources of `type`. */
export function listTypeOf(
  type: StructType,
  gvk: { readonly group: string; readonly version: string; readonly kind: string },
  listKind: string,
): StructType {
  const list = { ...gvk, kind: listKind };
  return {
    name: `${type.name}:${listKind}`,
    gvk: [list],
    openapiName: openapiNameOf(list),
    fields: [
      { name: 'apiVersion', type: STRING },
      { name: 'items', type: { k: 'list', of: { k: 'ref', name: type.name } }, required: true },
      { name: 'kind', type: STRING },
      { name: 'metadata', type: { k: 'ref', name: 'meta.v1.ListMeta' } },
    ],
  };
}

/** `com.example.v1.Thing`: the group's parts turned round. */
function openapiNameOf({
  group,
  version,
  kind,
}: {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}) {
  return [...group.split('.').reverse(), version, kind].join('.');
}

function struct(name: TypeName, schema: Schema): StructType {
  return {
    name,
    custom: true,
    fields: [],
    ...(schema['x-kubernetes-preserve-unknown-fields'] ? { preserveUnknownFields: true as const } : {}),
    ...(schema['x-kubernetes-embedded-resource'] ? { embeddedResource: true as const } : {}),
    ...mapTypeOf(schema),
  };
}

function mapTypeOf(schema: Schema): { mapType?: 'atomic' | 'granular' } {
  const mapType = schema['x-kubernetes-map-type'];
  return mapType === 'atomic' || mapType === 'granular' ? { mapType } : {};
}

function fieldOf(owner: TypeName, name: string, schema: Schema, parent: Schema): Field {
  const keys = listMapKeysOf(schema);
  return {
    name,
    type: typeOf(`${owner}.${name}`, schema),
    ...(parent.required?.includes(name) ? { required: true as const } : {}),
    ...(schema.default === undefined ? {} : { default: schema.default }),
    ...(schema.nullable ? { nullable: true as const } : {}),
    ...(schema['x-kubernetes-list-type'] ? { listType: schema['x-kubernetes-list-type'] as ListType } : {}),
    ...(keys.length > 0 ? { listMapKeys: keys } : {}),
    ...mapTypeOf(schema),
  };
}

function typeOf(name: TypeName, schema: Schema): TypeRef {
  if (schema['x-kubernetes-int-or-string']) return { k: 'intOrString' };
  switch (schema.type) {
    case 'string':
      return STRING;
    case 'boolean':
      return { k: 'bool' };
    case 'integer':
      return { k: schema.format === 'int32' ? 'int32' : 'int64' };
    case 'number':
      return { k: 'double' };
    case 'array': {
      const items = itemsOf(schema);
      return { k: 'list', of: items ? typeOf(`${name}[]`, items) : { k: 'any' } };
    }
    case 'object':
      return objectType(name, schema);
    default:
      // Without a type there is preserved content, of whose parts the described ones are still typed.
      return schema.properties ? objectType(name, schema) : { k: 'any' };
  }
}

function objectType(name: TypeName, schema: Schema): TypeRef {
  const values = valuesOf(schema);
  if (values) return { k: 'map', of: typeOf(`${name}{}`, values) };
  // Of values that nothing is said about, the members of objects are unknown.
  if (schema.additionalProperties === true) {
    return { k: 'map', of: { k: 'struct', type: { name: `${name}{}`, custom: true, fields: [] } } };
  }
  const fields = propertiesOf(schema).map(([property, below]) => fieldOf(name, property, below, schema));
  return { k: 'struct', type: { ...struct(name, schema), fields } };
}
