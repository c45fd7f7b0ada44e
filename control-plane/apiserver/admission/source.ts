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
  return new CachedSource<T>(cacheOf(caches, kind));
}

/** A class, as V8 would soon make such literals old, with all of the API server that they see. */
class CachedSource<T extends ApiObject> implements Source<T> {
  readonly #cache: () => ResourceCache;

  constructor(cache: () => ResourceCache) {
    this.#cache = cache;
  }

  readonly version = (): number => this.#cache().changed;

  readonly all = (): readonly DeepReadonly<T>[] =>
    this.#cache()
      .all()
      .map((encoded) => encoded.object() as unknown as DeepReadonly<T>);
}
