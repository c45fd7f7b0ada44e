import type { Reservation } from '../../../libs/kind/allocator.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Engine } from './engine.ts';

const NOTHING: Reservation = Object.freeze({ async commit() {}, async rollback() {} });

/** Lets the kind's allocator, if it has one, fill the draft. */
export async function reserve(
  engine: Engine,
  ctx: RequestContext,
  kind: Kind,
  draft: ApiObject,
  old?: DeepReadonly<ApiObject>,
): Promise<Reservation> {
  for (const allocator of engine.allocators) {
    if (allocator.handles(kind)) return allocator.reserve(ctx, draft, old, engine.registry);
  }
  return NOTHING;
}

/** Tells the kind's allocator that an object is gone. */
export async function release(
  engine: Engine,
  ctx: RequestContext,
  kind: Kind,
  object: DeepReadonly<ApiObject>,
): Promise<void> {
  for (const allocator of engine.allocators) {
    if (allocator.handles(kind)) await allocator.release(ctx, object, engine.registry);
  }
}
