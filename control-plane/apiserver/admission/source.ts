import type { Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { Caches } from '../cache/caches.ts';
import type { ResourceCache } from '../cache/resource-cache.ts';
import type { Source } from './policy/hooks.ts';

/** A built-in kind's watch cache, looked up once, when there is one: the cache of a built-in kind stays for good. */
export function cacheOf(caches: () => Caches, kind: object): () => ResourceCache {
  let cache: ResourceCache | undefined;
  return () => (cache ??= caches().resource(kind as Kind));
}

/** The objects of a built-in kind as the watch cache has them: for what is asked with every request. */
export function cachedSource<T extends ApiObject>(caches: () => Caches, kind: Kind<T>): Source<T> {
  const cache = cacheOf(caches, kind);
  return {
    version: () => cache().changed,
    all: () =>
      cache()
        .all()
        .map((encoded) => encoded.object() as unknown as DeepReadonly<T>),
  };
}
