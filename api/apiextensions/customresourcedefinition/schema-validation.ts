/**
 * The schema of a version: which words of JSON schema may be used, how lists and maps are told to merge; then whether it is
 * structural (`structural-validation.ts`), and whether its defaults fit it (`default-validation.ts`).
 */
import * as field from '../../../libs/machinery/field-errors.ts';
import {
  itemsOf,
  propertiesOf,
  RESOURCE_FIELDS,
  type Schema,
  valuesOf,
} from '../../../libs/structural-schema/schema.ts';
import { validateDefaults } from './default-validation.ts';
import { validateRules } from './rules-validation.ts';
import { validateStructural } from './structural-validation.ts';

/** What a schema may say that structural schemas do not. */
interface AnySchema extends Schema {
  readonly id?: string;
  readonly $schema?: string;
  readonly $ref?: string;
  readonly additionalItems?: unknown;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly dependencies?: unknown;
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

/** Words that may stand at the root of a schema beside a status subresource. */
const ROOT_WORDS: ReadonlySet<string> = new Set([
  'description',
  'type',
  'format',
  'title',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
  'required',
  'items',
  'properties',
  'externalDocs',
  'example',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
]);

export function validateSchema(schema: Schema, at: field.Path, hasStatus: boolean): field.ErrorList {
  const errors: field.ErrorList = [];
  if (hasStatus) errors.push(...validateRootWords(schema, at));
  if (schema.nullable) errors.push(field.forbidden(at.child('nullable'), 'nullable cannot be true at the root'));
  const unsupported = unsupportedWord(schema);
  const wrong = unsupported === undefined ? validateStructural(schema, at) : [];
  if (unsupported === undefined && wrong.length === 0) wrong.push(...validateDefaults(schema, at));
  errors.push(...wrong);
  const words = validateWords(schema, at, { root: true, inMetadata: false });
  // Rules are typed by the schema: of one that is wrong they would say what nobody can mend.
  const isSound = unsupported === undefined && wrong.length === 0;
  errors.push(...words, ...validateRules(schema, at, { isSound, wrong: words.map((error) => error.field) }));
  if (unsupported !== undefined && errors.length === 0) {
    errors.push(field.invalid(at, '', `OpenAPIV3Schema '${unsupported}' is not supported`));
  }
  return errors;
}

function validateRootWords(schema: Schema, at: field.Path): field.ErrorList {
  if (schema.type && schema.type !== 'object') {
    const text = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    return [field.invalid(at.child('type'), schema.type, text)];
  }
  for (const word of Object.keys(schema)) {
    if (ROOT_WORDS.has(word)) continue;
    const text = `only ${[...ROOT_WORDS].join(' ')} fields are allowed at the root of the schema if the status subresource is enabled`;
    return [field.invalid(at, schema, text)];
  }
  return [];
}

/** A word anywhere in the schema that has no structural form; undefined where there is none. */
function unsupportedWord(schema: AnySchema): string | undefined {
  if (schema.id) return 'id';
  if (schema.$schema) return 'schema';
  if (schema.$ref !== undefined) return '$ref';
  for (const word of ['additionalItems', 'patternProperties', 'definitions', 'dependencies'] as const) {
    if (schema[word] !== undefined) return word;
  }
  if (Array.isArray(schema.items)) return 'items';
  for (const below of schemasBelow(schema)) {
    const found = unsupportedWord(below);
    if (found !== undefined) return found;
  }
  return undefined;
}

function schemasBelow(schema: Schema): Schema[] {
  const { allOf = [], anyOf = [], oneOf = [], not } = schema;
  return [
    ...[itemsOf(schema), valuesOf(schema), not].filter((one) => one !== undefined),
    ...propertiesOf(schema).map(([, below]) => below),
    ...allOf,
    ...anyOf,
    ...oneOf,
  ];
}

/** Where a schema stands. `noDefaults` says why defaults may not be given there. */
interface Context {
  readonly root: boolean;
  /** Below the metadata of a resource. */
  readonly inMetadata: boolean;
  readonly noDefaults?: string;
}

function validateWords(schema: AnySchema, at: field.Path, context: Context): field.ErrorList {
  const errors = validateStandard(schema, at, context);
  const below = (next: Schema | undefined, place: field.Path, change: Partial<Context> = {}) => {
    if (next) errors.push(...validateWords(next, place, { ...context, root: false, ...change }));
  };
  if (schema.uniqueItems) {
    const text = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(field.forbidden(at.child('uniqueItems'), text));
  }
  const { additionalProperties, properties } = schema;
  if (additionalProperties !== undefined) {
    const place = at.child('additionalProperties');
    if (additionalProperties === false) {
      errors.push(field.forbidden(place, 'additionalProperties cannot be set to false'));
    } else if (additionalProperties !== true && Object.keys(properties ?? {}).length > 0) {
      errors.push(field.forbidden(place, 'additionalProperties and properties are mutual exclusive'));
    }
    const inMetadata = { noDefaults: 'inside additionalProperties applying to object metadata' };
    below(valuesOf(schema), place, context.inMetadata ? inMetadata : {});
  }
  for (const [name, property] of propertiesOf(schema)) {
    const ofResource = (context.root || schema['x-kubernetes-embedded-resource']) && RESOURCE_FIELDS.has(name);
    const change = ofResource
      ? { inMetadata: true, ...(context.root ? { noDefaults: `in top-level ${name}` } : {}) }
      : {};
    below(property, at.child('properties').key(name), change);
  }
  below(schema.not, at.child('not'), { noDefaults: 'inside not' });
  for (const word of ['allOf', 'anyOf', 'oneOf'] as const) {
    schema[word]?.forEach((one, i) => below(one, at.child(word).index(i)));
  }
  below(itemsOf(schema), at.child('items'));
  errors.push(...validateListType(schema, at));
  return errors;
}

function validateStandard(schema: AnySchema, at: field.Path, context: Context): field.ErrorList {
  const errors: field.ErrorList = [];
  const unsupported = (word: keyof AnySchema & string) =>
    errors.push(field.forbidden(at.child(word), `${word} is not supported`));
  if (schema.type && !TYPES.includes(schema.type)) {
    errors.push(field.notSupported(at.child('type'), schema.type, TYPES));
  }
  if (schema.default !== undefined && context.noDefaults !== undefined) {
    errors.push(field.forbidden(at.child('default'), `must not be set ${context.noDefaults}`));
  }
  if (schema.id) unsupported('id');
  if (schema.additionalItems !== undefined) unsupported('additionalItems');
  if (Object.keys(schema.patternProperties ?? {}).length > 0) unsupported('patternProperties');
  if (Object.keys(schema.definitions ?? {}).length > 0) unsupported('definitions');
  if (schema.dependencies !== undefined) unsupported('dependencies');
  if (schema.$ref !== undefined) unsupported('$ref');
  if (schema.type === 'null') {
    errors.push(field.forbidden(at.child('type'), 'type cannot be set to null, use nullable as an alternative'));
  }
  if (Array.isArray(schema.items)) {
    errors.push(field.forbidden(at.child('items'), 'items must be a schema object and not an array'));
  }
  if (context.inMetadata && schema['x-kubernetes-embedded-resource']) {
    errors.push(
      field.forbidden(at.child('x-kubernetes-embedded-resource'), 'must not be used inside of resource meta'),
    );
  }
  return errors;
}

const LIST_TYPES = ['atomic', 'set', 'map'];
const MAP_TYPES = ['atomic', 'granular'];

function validateListType(schema: Schema, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const { type } = schema;
  const wrongType = (wanted: string, word: string) => {
    const text = `must be ${wanted} if ${word} is specified`;
    const place = at.child('type');
    errors.push(type ? field.invalid(place, type, text) : field.required(place, text));
  };
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    errors.push(field.invalid(at.child('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined'));
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType !== undefined && type !== 'object') wrongType('object', 'x-kubernetes-map-type');
  if (mapType !== undefined && !MAP_TYPES.includes(mapType)) {
    errors.push(field.notSupported(at.child('x-kubernetes-map-type'), mapType, MAP_TYPES));
  }
  const listType = schema['x-kubernetes-list-type'];
  if (listType !== undefined && type !== 'array') wrongType('array', 'x-kubernetes-list-type');
  else if (listType === 'set') errors.push(...validateSetItems(itemsOf(schema), at.child('items')));
  if (listType !== undefined && !LIST_TYPES.includes(listType)) {
    errors.push(field.notSupported(at.child('x-kubernetes-list-type'), listType, LIST_TYPES));
  }
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (keys.length > 0 && listType !== 'map') {
    const text = 'must be map if x-kubernetes-list-map-keys is non-empty';
    const place = at.child('x-kubernetes-list-type');
    errors.push(listType === undefined ? field.required(place, text) : field.invalid(place, listType, text));
  }
  if (listType === 'map') errors.push(...validateMapList(schema, keys, at));
  if (listType === 'map' || listType === 'set') errors.push(...validateMapKeys(schema, keys, listType, at));
  return errors;
}

/** What stands in a set is told apart as a whole. */
function validateSetItems(items: Schema | undefined, at: field.Path): field.ErrorList {
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items?.['x-kubernetes-list-type'];
  if (items?.type === 'array' && listType !== undefined && listType !== 'atomic') {
    return [field.invalid(at.child('x-kubernetes-list-type'), listType, why)];
  }
  if (items?.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
    // The API shows the list type here, too.
    return [field.invalid(at.child('x-kubernetes-map-type'), listType ?? null, why)];
  }
  return [];
}

function validateMapList(schema: Schema, keys: readonly string[], at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const keysAt = at.child('x-kubernetes-list-map-keys');
  if (keys.length === 0) errors.push(field.required(keysAt, 'must not be empty if x-kubernetes-list-type is map'));
  const items = itemsOf(schema);
  if (schema.items === undefined) {
    errors.push(field.required(at.child('items'), 'must have a schema if x-kubernetes-list-type is map'));
  } else if (!items) {
    errors.push(
      field.invalid(at.child('items'), '', 'must only have a single schema if x-kubernetes-list-type is map'),
    );
  }
  if (!items) return errors;
  if (items.type !== 'object') {
    const text = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(field.invalid(at.child('items', 'type'), items.type ?? '', text));
    return errors;
  }
  const seen = new Set<string>();
  for (const key of keys) {
    const property = items.properties && Object.hasOwn(items.properties, key) ? items.properties[key] : undefined;
    if (!property) errors.push(field.invalid(keysAt, keys, 'entries must all be names of item properties'));
    else if (property.type === 'array' || property.type === 'object') {
      const text = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(field.invalid(at.child('items', 'properties').key(key).child('type'), items.type, text));
    }
    if (seen.has(key)) errors.push(field.invalid(keysAt, keys, 'must not contain duplicate entries'));
    seen.add(key);
  }
  return errors;
}

/** What tells items apart must be there, and must not be null. */
function validateMapKeys(schema: Schema, keys: readonly string[], listType: string, at: field.Path): field.ErrorList {
  const items = itemsOf(schema);
  if (!items) return [];
  const errors: field.ErrorList = [];
  if (items.nullable) {
    const text = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(field.forbidden(at.child('items', 'nullable'), text));
  }
  if (listType !== 'map') return errors;
  for (const key of keys) {
    const property = items.properties && Object.hasOwn(items.properties, key) ? items.properties[key] : undefined;
    if (!property) continue;
    const place = at.child('items', 'properties').key(key);
    if (!items.required?.includes(key) && property.default === undefined) {
      const text =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      errors.push(field.required(place.child('default'), text));
    }
    if (property.nullable) {
      const text = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      errors.push(field.forbidden(place.child('nullable'), text));
    }
  }
  return errors;
}
