/** Lists that are sets or maps have no item and no key twice. */
import * as field from '../machinery/field-errors.ts';
import { mapKeyOf } from './correlate.ts';
import { isObject, itemsOf, listMapKeysOf, propertiesOf, propertyOf, type Schema, valuesOf } from './schema.ts';

type Check = (value: unknown, at: field.Path | undefined, errors: field.ErrorList) => void;

/** Compiles the check; undefined where no list of the schema is a set or a map. */
export function compileListTypes(schema: Schema): ((value: unknown, at?: field.Path) => field.ErrorList) | undefined {
  const check = compile(schema);
  return (
    check &&
    ((value, at) => {
      const errors: field.ErrorList = [];
      check(value, at, errors);
      return errors;
    })
  );
}

function compile(schema: Schema): Check | undefined {
  if (schema.type === 'array' || itemsOf(schema)) return compileList(schema);
  const properties = propertiesOf(schema).flatMap(([name, below]) => {
    const check = compile(below);
    return check ? [[name, check] as const] : [];
  });
  const values = valuesOf(schema);
  const checkValue = values && compile(values);
  if (properties.length === 0 && !checkValue) return undefined;
  return (value, at, errors) => {
    if (!isObject(value)) return;
    for (const [name, check] of properties) {
      if (Object.hasOwn(value, name)) check(value[name], at ? at.child(name) : field.path(name), errors);
    }
    if (!checkValue) return;
    for (const name of Object.keys(value)) checkValue(value[name], at ? at.key(name) : field.path(name), errors);
  };
}

function compileList(schema: Schema): Check | undefined {
  const items = itemsOf(schema);
  const below = items && compile(items);
  const unique =
    schema['x-kubernetes-list-type'] === 'map'
      ? mapCheck(schema)
      : schema['x-kubernetes-list-type'] === 'set'
        ? setCheck
        : undefined;
  if (!below && !unique) return undefined;
  return (value, at, errors) => {
    if (!Array.isArray(value)) return;
    unique?.(value, at, errors);
    if (below) value.forEach((item: unknown, i) => below(item, at?.index(i), errors));
  };
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, one: unknown) =>
    typeof one === 'bigint'
      ? String(one)
      : isObject(one)
        ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
        : one,
  );

const setCheck = (value: readonly unknown[], at: field.Path | undefined, errors: field.ErrorList): void => {
  const seen = new Set<string>();
  const told = new Set<string>();
  value.forEach((item, i) => {
    const text = textOf(item);
    if (seen.has(text) && !told.has(text)) {
      errors.push(field.duplicate(at?.index(i), item));
      told.add(text);
    }
    seen.add(text);
  });
};

function mapCheck(
  schema: Schema,
): (value: readonly unknown[], at: field.Path | undefined, errors: field.ErrorList) => void {
  const keys = listMapKeysOf(schema);
  const items = itemsOf(schema);
  return (value, at, errors) => {
    const seen = new Set<string>();
    const told = new Set<string>();
    value.forEach((item, i) => {
      const text = mapKeyOf(schema, item);
      if (text === undefined) return;
      if (seen.has(text) && !told.has(text)) {
        const key = keys.map((name) => [name, valueOf(item, name, items)]).filter(([, one]) => one !== undefined);
        errors.push(field.duplicate(at?.index(i), Object.fromEntries(key)));
        told.add(text);
      }
      seen.add(text);
    });
  };
}

function valueOf(item: unknown, name: string, items: Schema | undefined): unknown {
  if (isObject(item) && Object.hasOwn(item, name)) return item[name];
  return items && propertyOf(items, name)?.default;
}
