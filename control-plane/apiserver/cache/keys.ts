import type { GroupResource } from '../../../libs/kind/object.ts';

/**
 * Where objects lie in the store:
 *
 *     /registry/<group, or core>/<resource>/<namespace>/<name>      namespaced
 *     /registry/<group, or core>/<resource>/<name>                  cluster-wide
 *
 * No group is called `core` (groups other than the core one have a dot, or are upstream's own), so the two cannot meet.
 */
export const REGISTRY_PREFIX = '/registry/';

/** What the keys of a resource begin with, up to and including the slash. */
export function resourcePrefix({ group, resource }: GroupResource): string {
  return `${REGISTRY_PREFIX}${group === '' ? 'core' : group}/${resource}/`;
}

/** `namespace` is empty for cluster-wide resources. */
export function objectKey(resource: GroupResource, namespace: string, name: string): string {
  return `${resourcePrefix(resource)}${namespace === '' ? '' : `${namespace}/`}${name}`;
}

/** The part of an object's key that says which resource it is of, as `resourcePrefix`; undefined for other keys. */
export function resourcePrefixOf(key: string): string | undefined {
  if (!key.startsWith(REGISTRY_PREFIX)) return undefined;
  const group = key.indexOf('/', REGISTRY_PREFIX.length);
  const resource = group < 0 ? -1 : key.indexOf('/', group + 1);
  return resource < 0 ? undefined : key.slice(0, resource + 1);
}

/** Namespace and name of a key that begins with `prefix`, its resource's prefix. */
export function splitKey(key: string, prefix: string, namespaced: boolean): { namespace: string; name: string } {
  const slash = namespaced ? key.indexOf('/', prefix.length) : -1;
  if (slash < 0) return { namespace: '', name: key.slice(prefix.length) };
  return { namespace: key.slice(prefix.length, slash), name: key.slice(slash + 1) };
}
