/** Fields that a schema does not know. The codecs drop them as they read; this answers for values in hand. */
import { isObject, itemsOf, propertyOf, RESOURCE_FIELDS, type Schema, valuesOf } from './schema.ts';

/** Whether reading `value` by `schema` would drop something. Without a schema nothing is known of objects. */
export function hasUnknownFields(value: unknown, schema: Schema | undefined): boolean {
  if (schema?.['x-kubernetes-preserve-unknown-fields'] && !isDescribed(schema)) return false;
  if (Array.isArray(value)) return value.some((item) => hasUnknownFields(item, schema && itemsOf(schema)));
  if (!isObject(value)) return false;
  return Object.entries(value).some(([name, member]) => {
    if (schema?.['x-kubernetes-embedded-resource'] && RESOURCE_FIELDS.has(name)) return false;
    const property = schema && propertyOf(schema, name);
    if (property) return hasUnknownFields(member, property);
    if (schema?.additionalProperties) return hasUnknownFields(member, valuesOf(schema));
    return schema?.['x-kubernetes-preserve-unknown-fields'] !== true;
  });
}

const isDescribed = (schema: Schema): boolean =>
  schema.properties !== undefined || schema.items !== undefined || schema.additionalProperties !== undefined;
