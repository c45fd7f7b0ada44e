import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  escapeName,
  INT,
  listOf,
  mapOf,
  type ObjectField,
  STRING,
  TIMESTAMP,
  type Type,
} from '../../../../libs/cel/types.ts';

/** A schema of the server's published OpenAPI v3, as far as types follow from it. */
export interface PublishedSchema {
  readonly $ref?: string;
  readonly allOf?: readonly PublishedSchema[];
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, PublishedSchema>>;
  readonly additionalProperties?: PublishedSchema | boolean;
  readonly items?: PublishedSchema;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

export interface PublishedDocument {
  readonly components?: { readonly schemas?: Readonly<Record<string, PublishedSchema>> };
}

const PREFIX = '#/components/schemas/';

/** The type of a kind's objects as a document publishes it; undefined where it does not. `version`: of the document's group. */
export function publishedTypeOf(
  { components }: PublishedDocument,
  wanted: { readonly group: string; readonly version: string; readonly kind: string },
): Type | undefined {
  const schemas = components?.schemas ?? {};
  const found = Object.values(schemas).find((schema) =>
    schema['x-kubernetes-group-version-kind']?.some(
      ({ group, version, kind }) => group === wanted.group && version === wanted.version && kind === wanted.kind,
    ),
  );
  return found && typeOfSchema(found, wanted.kind, schemas, new Set());
}

/** `name`: how messages name the type. `around`: the references that this one is in; what is in itself may be anything. */
function typeOfSchema(
  schema: PublishedSchema,
  name: string,
  schemas: Readonly<Record<string, PublishedSchema>>,
  around: ReadonlySet<string>,
): Type {
  const reference = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0]?.$ref : undefined);
  if (reference !== undefined) {
    const key = reference.slice(PREFIX.length);
    const target = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
    return target && !around.has(key) ? typeOfSchema(target, name, schemas, new Set([...around, key])) : DYN;
  }
  if (schema['x-kubernetes-int-or-string'] || schema.format === 'int-or-string') return DYN;
  const below = (next: PublishedSchema, step: string) => typeOfSchema(next, `${name}.${step}`, schemas, around);
  switch (schema.type) {
    case 'array':
      return listOf(schema.items ? below(schema.items, '@idx') : DYN);
    case 'object': {
      const { additionalProperties: values, properties = {} } = schema;
      if (typeof values === 'object') return mapOf(STRING, below(values, '@elem'));
      const fields = new Map<string, ObjectField>();
      for (const [property, one] of Object.entries(properties)) {
        const escaped = escapeName(property);
        if (escaped !== undefined) fields.set(escaped, { name: property, type: below(one, property) });
      }
      return { k: 'object', name, fields };
    }
    case 'string':
      return typeOfText(schema.format);
    case 'boolean':
      return BOOL;
    case 'integer':
      return INT;
    case 'number':
      return DOUBLE;
    default:
      // Of several types (quantities), or of none that is said.
      return DYN;
  }
}

function typeOfText(format: string | undefined): Type {
  if (format === 'byte') return BYTES;
  if (format === 'duration') return DURATION;
  return format === 'date' || format === 'date-time' ? TIMESTAMP : STRING;
}
