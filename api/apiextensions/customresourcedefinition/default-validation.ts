/** Whether the defaults of a schema fit the schema that states them. */
import * as field from '../../../libs/machinery/field-errors.ts';
import { compileEmbedded } from '../../../libs/structural-schema/embedded.ts';
import { hasUnknownFields } from '../../../libs/structural-schema/prune.ts';
import { itemsOf, propertiesOf, type Schema, valuesOf } from '../../../libs/structural-schema/schema.ts';
import { compileValues } from '../../../libs/structural-schema/values.ts';
import { validateDefaultByRules } from './rules-validation.ts';

/** Whether a schema states a default anywhere. */
export function hasDefaults(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return false;
  const { default: own, properties, items, additionalProperties, allOf, anyOf, oneOf, not } = schema as Schema;
  if (own !== undefined) return true;
  const below = [items, additionalProperties, not, ...(allOf ?? []), ...(anyOf ?? []), ...(oneOf ?? [])];
  return [...below, ...Object.values(properties ?? {})].some(hasDefaults);
}

export function validateDefaults(schema: Schema, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (schema.default !== undefined && schema.default !== null) {
    errors.push(...validateDefault(schema, schema.default, at.child('default')));
  }
  const items = itemsOf(schema);
  const values = valuesOf(schema);
  if (values) errors.push(...validateDefaults(values, at.child('additionalProperties')));
  if (items) errors.push(...validateDefaults(items, at.child('items')));
  for (const [name, below] of propertiesOf(schema)) {
    errors.push(...validateDefaults(below, at.child('properties').key(name)));
  }
  return errors;
}

function validateDefault(schema: Schema, value: unknown, at: field.Path): field.ErrorList {
  if (hasUnknownFields(value, schema)) return [field.invalid(at, value, 'must not have unknown fields')];
  const embedded = compileEmbedded({ ...schema, 'x-kubernetes-embedded-resource': false }, () => [])?.(value) ?? [];
  if (embedded.length > 0) return embedded.map((error) => ({ ...error, field: `${at}.${error.field}` }));
  // The types of int-or-string are not a part of the structural schema, by which defaults are judged.
  const stated = { ...schema, 'x-kubernetes-int-or-string': false };
  const errors = compileValues(stated)(value).map((error) => ({ ...error, field: placed(at, error.field) }));
  return errors.length > 0 ? errors : validateDefaultByRules(schema, value, at);
}

/** The place of an error within a default, seen from the definition. */
function placed(at: field.Path, place: string): string {
  if (place === '' || place === '<nil>') return String(at);
  return place.startsWith('[') ? `${at}${place}` : `${at}.${place}`;
}
