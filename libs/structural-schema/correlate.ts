/** Which old value a new one replaces: what ratcheting and transition rules compare with. */
import { isObject, itemsOf, listMapKeysOf, propertyOf, type Schema } from './schema.ts';

/**
 * Finds for items of a new list the old ones that they replace. Only items of `map` lists can be told apart, by their
 * keys; for all others the function answers undefined.
 */
export function correlateItems(schema: Schema, old: unknown): (item: unknown) => unknown {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return () => undefined;
  const byKey = new Map<string, unknown>();
  for (const item of old) {
    const key = mapKeyOf(schema, item);
    if (key !== undefined && !byKey.has(key)) byKey.set(key, item);
  }
  return (item) => {
    const key = mapKeyOf(schema, item);
    return key === undefined ? undefined : byKey.get(key);
  };
}

/** The key of an item of a `map` list, as text; undefined where the item is no object. */
export function mapKeyOf(schema: Schema, item: unknown): string | undefined {
  if (!isObject(item)) return undefined;
  const items = itemsOf(schema);
  return JSON.stringify(
    listMapKeysOf(schema).map((name) => {
      const value = Object.hasOwn(item, name) ? item[name] : items && propertyOf(items, name)?.default;
      return typeof value === 'bigint' ? Number(value) : (value ?? null);
    }),
  );
}
