/** OpenAPI of extension API servers: which parts of the v3 index are theirs, and their v2 documents put into the server's. */
import { sameValue } from '../../../libs/machinery/same-value.ts';

/** A JSON document whose form nobody has checked. */
export type Document = Readonly<Record<string, unknown>>;

/** What one extension API server tells of its group and version. */
export interface RemoteOpenApi {
  /** `metrics.k8s.io/v1beta1`. */
  readonly groupVersion: string;
  /** Where its part of v3 is, as its own index has it: `/openapi/v3/apis/…?hash=…`; undefined: it tells none. */
  readonly v3Url: string | undefined;
  /** undefined: it tells none. */
  readonly v2: Document | undefined;
}

const DEFINITIONS = '#/definitions/';
const isObject = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The address of a group and version's part in a v3 index; undefined where the index does not have it. */
export function urlInIndex(index: unknown, groupVersion: string): string | undefined {
  const paths = isObject(index) && isObject(index['paths']) ? index['paths'] : {};
  const part = Object.hasOwn(paths, `apis/${groupVersion}`) ? paths[`apis/${groupVersion}`] : undefined;
  const url = isObject(part) ? part['serverRelativeURL'] : undefined;
  return typeof url === 'string' && url.startsWith('/openapi/v3/') ? url : undefined;
}

/**
 * The document with the paths of each remote's own group and version, and with the definitions that they lead to. A
 * definition of a name that is there already and says something else gets another name (`_v2`, `_v3` …).
 */
export function mergeV2(own: Document, remotes: readonly RemoteOpenApi[]): Document {
  const paths = { ...(own['paths'] as Record<string, unknown>) };
  const definitions = { ...(own['definitions'] as Record<string, unknown>) };
  for (const { groupVersion, v2 } of remotes) {
    const theirs = Object.entries(isObject(v2?.['paths']) ? v2['paths'] : {}).filter(
      ([path, item]) => isObject(item) && isOf(groupVersion, path) && !Object.hasOwn(paths, path),
    );
    const known = isObject(v2?.['definitions']) ? v2['definitions'] : {};
    const names = new Map<string, string>();
    for (const name of reached(theirs, known)) names.set(name, freeName(name, known[name], definitions));
    for (const [name, as] of names) definitions[as] ??= renamed(known[name], names);
    for (const [path, item] of theirs) paths[path] = renamed(item, names);
  }
  return { ...own, paths, definitions };
}

const isOf = (groupVersion: string, path: string): boolean =>
  path === `/apis/${groupVersion}` || path.startsWith(`/apis/${groupVersion}/`);

/** The names of all definitions that values lead to, directly or over others. */
function reached(from: unknown, definitions: Document): ReadonlySet<string> {
  const names = new Set<string>();
  const open: unknown[] = [from];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (Array.isArray(value)) open.push(...value.filter((one) => typeof one === 'object' && one !== null));
    else if (isObject(value)) {
      const name = nameIn(value['$ref']);
      if (name !== undefined && !names.has(name) && Object.hasOwn(definitions, name)) {
        names.add(name);
        open.push(definitions[name]);
      }
      open.push(...Object.values(value).filter((one) => typeof one === 'object' && one !== null));
    }
  }
  return names;
}

function freeName(name: string, definition: unknown, taken: Document): string {
  const fits = (as: string) => !Object.hasOwn(taken, as) || sameValue(taken[as], definition);
  if (fits(name)) return name;
  for (let i = 2; ; i++) if (fits(`${name}_v${i}`)) return `${name}_v${i}`;
}

const nameIn = (ref: unknown): string | undefined =>
  typeof ref === 'string' && ref.startsWith(DEFINITIONS) ? ref.slice(DEFINITIONS.length) : undefined;

function renamed(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((one) => renamed(one, names));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const name = key === '$ref' ? nameIn(member) : undefined;
      return [key, name === undefined ? renamed(member, names) : `${DEFINITIONS}${names.get(name) ?? name}`];
    }),
  );
}
