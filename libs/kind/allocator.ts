import type { Kind } from './kind.ts';
import type { ApiObject, DeepReadonly } from './object.ts';
import type { Registry } from './registry.ts';
import type { RequestContext } from './request.ts';

/**
 * Gives out what there is only one of (a Service's addresses and ports), between `prepareFor…` and validation, whoever
 * writes the object. What was taken is given back when the write does not happen.
 */
export interface Allocator<T extends ApiObject = ApiObject> {
  handles(kind: Kind): boolean;
  /** Fills the draft; `old` is undefined on create. Throws `ApiError` where it cannot. In a dry run nothing stays taken. */
  reserve(ctx: RequestContext, draft: T, old: DeepReadonly<T> | undefined, registry: Registry): Promise<Reservation>;
  /** The object is gone: what it had is free again. */
  release(ctx: RequestContext, object: DeepReadonly<T>, registry: Registry): Promise<void>;
}

export interface Reservation {
  /** The object is stored: what only the old one had is free again. */
  commit(): Promise<void>;
  /** The object was not stored: what was taken for it is free again. */
  rollback(): Promise<void>;
}
