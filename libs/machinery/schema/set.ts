/** Schema sets from types in hand: for custom resources, and for tests. */
import type { SchemaSet, StructType, TypeName } from './ir.ts';

/**
 * A set of `base`'s types and some more. Throws for a name that is there already (a bug: two types would be one).
 *
 * @example withTypes(builtinSchema(), [thingV1])  // a CRD version beside the built-in types it refers to
 */
export function withTypes(base: SchemaSet | undefined, types: readonly StructType[]): SchemaSet {
  const own = new Map<TypeName, StructType>();
  for (const type of types) {
    if (own.has(type.name) || base?.has(type.name)) throw new Error(`a second type ${type.name}`);
    own.set(type.name, type);
  }
  return Object.freeze({
    names: Object.freeze([...(base?.names ?? []), ...own.keys()]),
    has: (name: TypeName): boolean => own.has(name) || (base?.has(name) ?? false),
    get(name: TypeName): StructType {
      const type = own.get(name) ?? (base?.has(name) ? base.get(name) : undefined);
      if (!type) throw new Error(`no type ${name}`);
      return type;
    },
  });
}
