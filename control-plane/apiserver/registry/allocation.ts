import type { Reservation } from '../../../libs/kind/allocator.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Engine } from './engine.ts';

/** Lets the kind's allocator fill the draft; undefined where it has none. */
export function reserve(
  engine: Engine,
  ctx: RequestContext,
  kind: Kind,
  draft: ApiObject,
  old?: DeepReadonly<ApiObject>,
): Promise<Reservation> | undefined {
  for (const allocator of engine.allocators) {
    if (allocator.handles(kind)) return allocator.reserve(ctx, draft, old, engine.registry);
  }
  return undefined;
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
