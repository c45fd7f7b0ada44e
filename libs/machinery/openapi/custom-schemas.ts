/**
 * Schemas of custom resources in OpenAPI documents: as their definitions state them, in v2 without what that dialect
 * cannot say, with the fields that every resource has.
 */
import type { Dialect, JsonSchema } from './schemas.ts';

/** What the documents know of a resource beside its schema. */
export interface CustomResourceWords {
  readonly gvk: { readonly group: string; readonly version: string; readonly kind: string };
  /** The words on `apiVersion` and `kind`, where they are at hand. */
  readonly apiVersion: JsonSchema;
  readonly kind: JsonSchema;
  /** The reference to ObjectMeta, with words. */
  readonly metadata: JsonSchema;
}

/** The schema to publish of a whole resource. `stated` is the definition's `openAPIV3Schema`. */
export function customSchema(stated: object, dialect: Dialect, words: CustomResourceWords): JsonSchema {
  const schema = dialect === 'v2' ? inV2(stated as JsonSchema) : { ...(stated as JsonSchema) };
  const gvk = { 'x-kubernetes-group-version-kind': [words.gvk] };
  // In v2 nothing can be said of a resource that keeps what its schema does not know.
  if (dialect === 'v2' && (stated as JsonSchema)['x-kubernetes-preserve-unknown-fields'] === true) {
    return { type: 'object', ...gvk };
  }
  const known = resourceFields(words);
  const out = embedded(schema, dialect, known);
  return { ...out, type: 'object', properties: sorted({ ...out.properties, ...known }), ...gvk };
}

/** What every resource has, also one within another. */
const resourceFields = ({ apiVersion, kind, metadata }: CustomResourceWords) => ({
  apiVersion: { type: 'string', ...apiVersion },
  kind: { type: 'string', ...kind },
  metadata,
});

const sorted = (properties: JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A schema in which resources within the resource have the fields that are known of them. */
function embedded(schema: JsonSchema, dialect: Dialect, known: JsonSchema): JsonSchema & Below {
  const out = { ...schema, ...belowIn(schema, dialect, known) };
  const open = dialect === 'v2' && schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema['x-kubernetes-embedded-resource'] !== true || open) return out;
  const required = (schema['required'] ?? []) as readonly string[];
  const more = ['kind', 'apiVersion'].filter((name) => !required.includes(name));
  return { ...out, properties: sorted({ ...out.properties, ...known }), required: [...required, ...more] };
}

type Below = { properties?: JsonSchema; items?: unknown; additionalProperties?: unknown };

/** The schemas right below one, likewise. */
function belowIn(schema: JsonSchema, dialect: Dialect, known: JsonSchema): Below {
  const isSchema = (value: unknown): value is JsonSchema =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const within = (below: unknown) => (isSchema(below) ? embedded(below, dialect, known) : below);
  const { properties, items, additionalProperties } = schema as Below;
  return {
    ...(isSchema(properties) && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, below]) => [name, within(below)])),
    }),
    ...(items !== undefined && { items: within(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: within(additionalProperties) }),
  };
}

/** Words of the v3 dialect alone. */
const NOT_IN_V2: ReadonlySet<string> = new Set(['default', 'allOf', 'anyOf', 'oneOf', 'not', 'nullable']);
/** What says something of values of one kind, and so too much where others are allowed. */
const OF_PARTS: ReadonlySet<string> = new Set(['properties', 'items', 'additionalProperties']);

function inV2(schema: JsonSchema): JsonSchema {
  const anything = schema['nullable'] === true || schema['x-kubernetes-int-or-string'] === true;
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const out: JsonSchema = {};
  for (const [key, value] of Object.entries(schema)) {
    if (NOT_IN_V2.has(key) || (anything && key === 'type')) continue;
    if ((anything || open) && OF_PARTS.has(key)) continue;
    out[key] = valueInV2(key, value);
  }
  return out;
}

function valueInV2(key: string, value: unknown): unknown {
  if (key === 'properties') {
    return Object.fromEntries(
      Object.entries(value as JsonSchema).map(([name, below]) => [name, inV2(below as JsonSchema)]),
    );
  }
  const isSchema = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isSchema && (key === 'items' || key === 'additionalProperties') ? inV2(value as JsonSchema) : value;
}
