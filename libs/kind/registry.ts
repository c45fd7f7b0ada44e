import type { StatusSubresource } from './kind.ts';
import type { ApiObject, DeepReadonly, Live, ResourceRef } from './object.ts';
import type { RequestContext } from './request.ts';

/**
 * An object that is to be changed: it and its metadata are a copy, what they hold is the stored object's own, shared and
 * frozen. So a part is replaced and never changed, and what is left as it was need not be looked at again:
 *
 *     draft.spec = { ...draft.spec, nodeName };
 */
export type SharedDraft<T extends ApiObject> = Shared<T> & { metadata: Shared<NonNullable<T['metadata']>> };

type Shared<T> = { -readonly [K in keyof T]: DeepReadonly<T[K]> };

/**
 * What actions, admission and virtual kinds may do with other objects, inside the API server. Reads are consistent
 * (they show every write that was acknowledged before). Writes run the kind's strategy and keep managed fields, but not
 * authorization and admission: the caller has decided.
 */
export interface Registry {
  get<T extends ApiObject>(ref: ResourceRef<T>, namespace: string, name: string): Promise<Live<T> | undefined>;
  /** All of a namespace, or of the cluster for `''`. The array and its objects are shared and frozen. */
  list<T extends ApiObject>(ref: ResourceRef<T>, namespace: string): Promise<readonly Live<T>[]>;
  create<T extends ApiObject>(ctx: RequestContext, ref: ResourceRef<T>, namespace: string, object: T): Promise<Live<T>>;
  /**
   * Reads, changes, writes, and does it again when somebody was faster. `change` puts what shall be other into a draft and
   * returns false to leave things as they are. Throws `ApiError` (404 where there is nothing). `subresource`: with that
   * one's rules; `rules`: with these, where an action changes what no ordinary update may (a pod's node); `unowned`:
   * nobody owns what changes, as always with `rules`.
   */
  update<T extends ApiObject>(
    ctx: RequestContext,
    ref: ResourceRef<T>,
    namespace: string,
    name: string,
    change: (draft: SharedDraft<T>) => boolean | void,
    options?: { subresource?: string; rules?: StatusSubresource<T>['strategy']; unowned?: boolean },
  ): Promise<Live<T>>;
  delete(
    ctx: RequestContext,
    ref: ResourceRef,
    namespace: string,
    name: string,
    options?: { uid?: string; resourceVersion?: string; gracePeriodSeconds?: number; propagationPolicy?: string },
  ): Promise<void>;
}
