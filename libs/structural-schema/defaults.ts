/** Fills what was left out, and takes nulls away where nothing may be null. */
import { isObject, itemsOf, propertiesOf, RESOURCE_FIELDS, type Schema, valuesOf } from './schema.ts';

/** Changes the value in place. */
export type Fill = (value: unknown) => void;

/**
 * Compiles a schema's defaults. A field that is absent, or null and not nullable, gets its default; one without a default
 * and null where it may not be is dropped. Items of lists stay, so that validation can refuse them. Of an absent object
 * the members' defaults are not looked at.
 */
export function compileDefaults(schema: Schema): Fill {
  return compile(schema, true) ?? (() => {});
}

const copyOf = (value: unknown): unknown => (typeof value === 'object' ? structuredClone(value) : value);

/** A null that may not be one, as far as is known of it: content that is preserved may. */
function refusesNull(schema: Schema | undefined): boolean {
  return schema !== undefined && !schema.nullable && !(schema['x-kubernetes-preserve-unknown-fields'] && !schema.type);
}

function compile(schema: Schema, root = false): Fill | undefined {
  const items = itemsOf(schema);
  if (items) {
    const below = compile(items);
    const fallback = items.default;
    if (!below && fallback === undefined) return undefined;
    return (value) => {
      if (!Array.isArray(value)) return;
      for (let i = 0; i < value.length; i++) {
        if (value[i] === null && fallback !== undefined && !items.nullable) value[i] = copyOf(fallback);
        below?.(value[i]);
      }
    };
  }
  const properties = propertiesOf(schema)
    .filter(([name]) => !(root && RESOURCE_FIELDS.has(name)))
    .map(([name, below]) => ({
      name,
      fallback: below.default,
      refusesNull: refusesNull(below),
      nullable: below.nullable === true,
      fill: compile(below),
    }));
  const known = new Set(properties.map(({ name }) => name));
  const values = valuesOf(schema);
  if (properties.length === 0 && !values) return undefined;
  const fillValue = values && compile(values);
  return (value) => {
    if (!isObject(value)) return;
    for (const { name, fallback, refusesNull: refused, nullable, fill } of properties) {
      const there = Object.hasOwn(value, name);
      if (fallback !== undefined && (!there || (value[name] === null && !nullable))) value[name] = copyOf(fallback);
      else if (there && value[name] === null && refused) delete value[name];
      if (fill && Object.hasOwn(value, name)) fill(value[name]);
    }
    if (!values) return;
    for (const name of Object.keys(value)) {
      if (known.has(name)) continue;
      if (value[name] === null && !values.nullable) {
        if (values.default !== undefined) value[name] = copyOf(values.default);
        else if (refusesNull(values)) delete value[name];
      }
      fillValue?.(value[name]);
    }
  };
}
