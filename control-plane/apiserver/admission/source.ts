import type { Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { Caches } from '../cache/caches.ts';
import type { Source } from './policy/hooks.ts';

/** The objects of a kind as the watch cache has them: for what is asked with every request. */
export function cachedSource<T extends ApiObject>(caches: () => Caches, kind: Kind<T>): Source<T> {
  const cache = () => caches().resource(kind as unknown as Kind);
  return {
    version: () => cache().changed,
    all: () =>
      cache()
        .all()
        .map((encoded) => encoded.object() as unknown as DeepReadonly<T>),
  };
}
