/**
 * The schema of every built-in type, and which type a kind has.
 *
 * Importing this costs no more than reading the text; a type is parsed when it is first asked for and then shared, frozen,
 * by everyone in the process.
 */
import { type CompactType, expandType } from '../../libs/machinery/schema/compact.ts';
import type { SchemaSet, StructType, TypeName } from '../../libs/machinery/schema/ir.ts';
import { kinds, packages, types } from './builtin.generated.ts';

/** Kinds of `meta.k8s.io` that every group and version knows. */
const everywhere: ReadonlySet<string> = new Set([
  'CreateOptions',
  'DeleteOptions',
  'GetOptions',
  'ListOptions',
  'PatchOptions',
  'UpdateOptions',
  'WatchEvent',
]);

const parsed = new Map<TypeName, StructType>();
const kindTypes = new Map<string, TypeName>();

function parse(name: TypeName): StructType {
  const text = Object.hasOwn(types, name) ? (types[name] as string) : undefined;
  if (text === undefined) throw new Error(`no built-in type ${name}`);
  const colon = text.indexOf(':');
  const [pkg, group, version, openapi, protobuf] = packages[Number(text.slice(0, colon))] as (typeof packages)[number];
  const compact = JSON.parse(text.slice(colon + 1)) as CompactType;
  return expandType(name.slice(name.lastIndexOf('.') + 1), compact, {
    package: pkg,
    group,
    version,
    openapi,
    protobuf,
  });
}

const set: SchemaSet = Object.freeze({
  names: Object.freeze(Object.keys(types)),
  has: (name: TypeName): boolean => Object.hasOwn(types, name),
  get(name: TypeName): StructType {
    let type = parsed.get(name);
    if (!type) parsed.set(name, (type = parse(name)));
    return type;
  },
});

/** All built-in types. Pure data: the same frozen set at every call. */
export function builtinSchema(): SchemaSet {
  return set;
}

/**
 * The type of a kind: `builtinTypeOf('apps', 'v1', 'Deployment')` → `apps.v1.Deployment`; the core group is `''`.
 * Options and WatchEvent are found under any group and version. Undefined where there is no such kind.
 */
export function builtinTypeOf(group: string, version: string, kind: string): TypeName | undefined {
  if (kindTypes.size === 0) {
    for (const entry of kinds.split(',')) {
      const at = entry.indexOf('=');
      kindTypes.set(entry.slice(0, at), entry.slice(at + 1));
    }
  }
  return kindTypes.get(`${group}/${version}/${kind}`) ?? (everywhere.has(kind) ? `meta.v1.${kind}` : undefined);
}
