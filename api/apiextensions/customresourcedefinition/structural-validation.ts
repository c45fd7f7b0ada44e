/**
 * Whether a schema is structural: types and the shape of objects are stated outside `allOf`, `anyOf`, `oneOf` and `not`,
 * which then may only narrow what is stated (API concept "Specifying a structural schema"). Errors come sorted by their
 * text.
 */
import { RE2JS } from 're2js';
import * as field from '../../../libs/machinery/field-errors.ts';
import { compareBytes } from '../../../libs/machinery/quote.ts';
import { sameJson } from '../../../libs/structural-schema/same-json.ts';
import { itemsOf, propertiesOf, propertyOf, type Schema, valuesOf } from '../../../libs/structural-schema/schema.ts';

type Level = 'root' | 'item' | 'field';

export function validateStructural(schema: Schema, at: field.Path): field.ErrorList {
  const errors = [...validateInvariants(schema, 'root', at), ...validateCompleteness(schema, schema, at, at)];
  const texts = new Map(errors.map((error) => [error, field.textOf(error)]));
  return errors.sort((a, b) => compareBytes(texts.get(a) as string, texts.get(b) as string));
}

const WITHOUT_TYPE: Readonly<Record<Level, string>> = Object.freeze({
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
});

function validateInvariants(schema: Schema, level: Level, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const { type = '' } = schema;
  const typeAt = at.child('type');
  const items = itemsOf(schema);
  const values = valuesOf(schema);
  const properties = propertiesOf(schema);
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const intOrString = schema['x-kubernetes-int-or-string'] === true;

  if (type === 'array' && !items) errors.push(field.required(at.child('items'), 'must be specified'));
  if (items) errors.push(...validateInvariants(items, 'item', at.child('items')));
  for (const [name, below] of properties) {
    errors.push(...validateInvariants(below, 'field', at.child('properties').key(name)));
  }
  if (values) errors.push(...validateInvariants(values, 'field', at.child('additionalProperties')));
  if (intOrString && preserves) {
    const text = 'must be false if x-kubernetes-int-or-string is true';
    errors.push(field.invalid(at.child('x-kubernetes-preserve-unknown-fields'), true, text));
  }
  if (intOrString && embedded) {
    const text = 'must be false if x-kubernetes-int-or-string is true';
    errors.push(field.invalid(at.child('x-kubernetes-embedded-resource'), true, text));
  }
  errors.push(...validateJunctors(schema, isIntOrStringAnyOf(schema), isIntOrStringAllOf(schema), at));

  if (embedded && type !== 'object') {
    const text = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type === '' ? field.required(typeAt, text) : field.invalid(typeAt, type, text));
  } else if (type === '' && !intOrString && !preserves) errors.push(field.required(typeAt, WITHOUT_TYPE[level]));
  if (embedded && schema.additionalProperties !== undefined) {
    const text = 'must not be used if x-kubernetes-embedded-resource is set';
    errors.push(field.forbidden(at.child('additionalProperties'), text));
  }
  if (level === 'root' && type !== '' && type !== 'object') {
    errors.push(field.invalid(typeAt, type, 'must be object at the root'));
  }
  if (level === 'root' && schema.additionalProperties !== undefined) {
    errors.push(field.forbidden(at.child('additionalProperties'), 'must not be used at the root'));
  }
  errors.push(...validateResourceFields(schema, level, embedded, at));
  if (embedded && !preserves && properties.length === 0) {
    const text =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(field.required(at.child('properties'), text));
  }
  return errors;
}

/** apiVersion, kind and metadata are described only as what they are anyway; of metadata the name may be narrowed. */
function validateResourceFields(schema: Schema, level: Level, embedded: boolean, at: field.Path): field.ErrorList {
  if (level !== 'root' && !embedded) return [];
  const errors: field.ErrorList = [];
  for (const name of ['kind', 'apiVersion']) {
    const property = propertyOf(schema, name);
    if (!property || property.type === 'string') continue;
    errors.push(field.invalid(at.child('properties').key(name).child('type'), property.type ?? '', 'must be string'));
  }
  const metadata = propertyOf(schema, 'metadata');
  if (!metadata) return errors;
  const place = at.child('properties').key('metadata');
  if (metadata.type !== 'object') {
    errors.push(field.invalid(place.child('type'), metadata.type ?? '', 'must be object'));
  }
  if (level !== 'root') return errors;
  const { type: _type, default: _default, properties = {}, ...others } = metadata;
  const named = Object.keys(properties).every((name) => name === 'name' || name === 'generateName');
  if (!named || Object.keys(others).length > 0) {
    const text = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
    errors.push(field.forbidden(place, text));
  }
  return errors;
}

const isIntegerOrString = (schemas: readonly Schema[] | undefined): boolean =>
  schemas?.length === 2 && sameJson(schemas[0], { type: 'integer' }) && sameJson(schemas[1], { type: 'string' });

/** The two ways in which the types of int-or-string may be told within; who writes so has to leave the outer type out. */
function isIntOrStringAnyOf(schema: Schema): boolean {
  return isIntegerOrString(schema.anyOf);
}

function isIntOrStringAllOf(schema: Schema): boolean {
  return isIntegerOrString(schema.allOf?.[0]?.anyOf);
}

function validateJunctors(
  schema: Schema,
  skipAnyOf: boolean,
  skipFirstAllOf: boolean,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  if (!skipAnyOf)
    schema.anyOf?.forEach((one, i) => errors.push(...validateNested(one, false, at.child('anyOf').index(i))));
  schema.allOf?.forEach((one, i) =>
    errors.push(...validateNested(one, skipFirstAllOf && i === 0, at.child('allOf').index(i))),
  );
  schema.oneOf?.forEach((one, i) => errors.push(...validateNested(one, false, at.child('oneOf').index(i))));
  if (schema.not) errors.push(...validateNested(schema.not, false, at.child('not')));
  if (schema.pattern) {
    try {
      RE2JS.compile(schema.pattern);
    } catch (error) {
      const text = `must be a valid regular expression, but isn't: ${(error as Error).message}`;
      errors.push(field.invalid(at.child('pattern'), schema.pattern, text));
    }
  }
  return errors;
}

type Word = keyof Schema & string;

const MUST_BE_EMPTY: readonly Word[] = [
  'type',
  'title',
  'description',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
];
const MUST_BE_UNDEFINED: readonly Word[] = [
  'additionalProperties',
  'default',
  'x-kubernetes-list-type',
  'x-kubernetes-map-type',
];
const MUST_BE_FALSE: readonly Word[] = [
  'nullable',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
];

/** A schema within a junctor says nothing that would change the shape of the whole. */
function validateNested(schema: Schema, skipAnyOf: boolean, at: field.Path): field.ErrorList {
  const errors = validateJunctors(schema, skipAnyOf, false, at);
  const items = itemsOf(schema);
  if (items) errors.push(...validateNested(items, false, at.child('items')));
  for (const [name, below] of propertiesOf(schema)) {
    errors.push(...validateNested(below, false, at.child('properties').key(name)));
  }
  const forbid = (words: readonly Word[], isSet: (value: unknown) => boolean, state: string) => {
    for (const word of words) {
      if (isSet(schema[word])) errors.push(field.forbidden(at.child(word), `must be ${state} to be structural`));
    }
  };
  forbid(MUST_BE_EMPTY, (value) => ((value ?? '') as string | readonly unknown[]).length > 0, 'empty');
  forbid(MUST_BE_UNDEFINED, (value) => value !== undefined, 'undefined');
  forbid(MUST_BE_FALSE, (value) => value === true, 'false');
  if (propertyOf(schema, 'metadata')) {
    const place = at.child('properties').key('metadata');
    errors.push(field.forbidden(place, 'must not be specified in a nested context'));
  }
  return errors;
}

/** Whatever junctors at the root speak of is stated outside of them, too. */
function validateCompleteness(junctors: Schema, stated: Schema, statedAt: field.Path, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  for (const word of ['allOf', 'anyOf', 'oneOf'] as const) {
    junctors[word]?.forEach((one, i) =>
      errors.push(...validateNestedCompleteness(one, stated, statedAt, at.child(word).index(i))),
    );
  }
  if (junctors.not) errors.push(...validateNestedCompleteness(junctors.not, stated, statedAt, at.child('not')));
  return errors;
}

function validateNestedCompleteness(
  nested: Schema,
  stated: Schema | undefined,
  statedAt: field.Path,
  at: field.Path,
): field.ErrorList {
  if (!stated) return [field.required(statedAt, `because it is defined in ${at}`)];
  const errors = validateCompleteness(nested, stated, statedAt, at);
  const items = itemsOf(nested);
  if (items) {
    errors.push(...validateNestedCompleteness(items, itemsOf(stated), statedAt.child('items'), at.child('items')));
  }
  for (const [name, below] of propertiesOf(nested)) {
    const [place, nestedPlace] = [statedAt.child('properties').key(name), at.child('properties').key(name)];
    errors.push(...validateNestedCompleteness(below, propertyOf(stated, name), place, nestedPlace));
  }
  return errors;
}
