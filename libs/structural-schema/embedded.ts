/** Resources within resources (`x-kubernetes-embedded-resource`): their apiVersion, kind and metadata. */
import * as field from '../machinery/field-errors.ts';
import { ApiVersionError, parseApiVersion } from '../machinery/gvk.ts';
import { dns1035Label, pathSegmentName } from '../machinery/names.ts';
import { isObject, itemsOf, propertiesOf, type Schema, valuesOf } from './schema.ts';

/** Checks an embedded metadata beyond its name: labels, annotations, owners. Handed in, as it is the engine's. */
export type CheckMetadata = (metadata: Readonly<Record<string, unknown>>, at: field.Path) => field.ErrorList;

type Check = (value: unknown, at: field.Path | undefined, errors: field.ErrorList) => void;

/** Compiles the check; undefined where the schema embeds nothing. */
export function compileEmbedded(
  schema: Schema,
  metadata: CheckMetadata,
): ((value: unknown, at?: field.Path) => field.ErrorList) | undefined {
  const check = compile(schema, metadata, true);
  return (
    check &&
    ((value, at) => {
      const errors: field.ErrorList = [];
      check(value, at, errors);
      return errors;
    })
  );
}

function compile(schema: Schema, metadata: CheckMetadata, root = false): Check | undefined {
  const embedded = schema['x-kubernetes-embedded-resource'] === true && !root;
  const items = itemsOf(schema);
  const checkItem = items && compile(items, metadata);
  const values = valuesOf(schema);
  const checkValue = values && compile(values, metadata);
  const properties = propertiesOf(schema).flatMap(([name, below]) => {
    const check = compile(below, metadata);
    return check ? [[name, check] as const] : [];
  });
  if (!embedded && !checkItem && !checkValue && properties.length === 0) return undefined;
  return (value, at, errors) => {
    if (Array.isArray(value)) {
      if (checkItem) value.forEach((item: unknown, i) => checkItem(item, at?.index(i), errors));
      return;
    }
    if (!isObject(value)) return;
    if (embedded && at) checkEmbedded(value, at, metadata, errors);
    for (const [name, check] of properties) {
      if (Object.hasOwn(value, name)) check(value[name], at ? at.child(name) : field.path(name), errors);
    }
    if (!checkValue) return;
    for (const name of Object.keys(value)) checkValue(value[name], at ? at.key(name) : field.path(name), errors);
  };
}

function checkEmbedded(
  value: Readonly<Record<string, unknown>>,
  at: field.Path,
  metadata: CheckMetadata,
  errors: field.ErrorList,
): void {
  const { apiVersion, kind } = value;
  if (typeof apiVersion === 'string') {
    const text = apiVersion === '' ? 'must not be empty' : problemOf(apiVersion);
    if (text) errors.push(field.invalid(at.child('apiVersion'), apiVersion, text));
  } else if (apiVersion !== undefined) {
    errors.push(field.invalid(at.child('apiVersion'), apiVersion, 'must be a string'));
  }
  if (typeof kind === 'string') {
    const problems = kind === '' ? ['must not be empty'] : dns1035Label(kind.toLowerCase());
    const text = kind === '' ? problems[0] : `may have mixed case, but should otherwise match: ${problems.join(',')}`;
    if (problems.length > 0) errors.push(field.invalid(at.child('kind'), kind, text as string));
  } else if (kind !== undefined) errors.push(field.invalid(at.child('kind'), kind, 'must be a string'));
  if (!isObject(value['metadata'])) return;
  const own = value['metadata'];
  for (const key of ['generateName', 'name'] as const) {
    const name = own[key];
    if (typeof name !== 'string' || name === '') continue;
    for (const problem of pathSegmentName(name, key === 'generateName')) {
      errors.push(field.invalid(at.child('metadata', key), name, problem));
    }
  }
  errors.push(...metadata(own, at.child('metadata')));
}

function problemOf(apiVersion: string): string | undefined {
  try {
    parseApiVersion(apiVersion);
    return undefined;
  } catch (error) {
    if (error instanceof ApiVersionError) return error.message;
    throw error;
  }
}
