import type { ApiObject, ResourceRef } from '../../../libs/kind/object.ts';
import type { SharedDraft } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import { isAlreadyExists } from '../../../libs/machinery/errors.ts';
import type { Engine } from '../registry/engine.ts';

/** An object that a cluster is to have. */
export interface Wanted {
  readonly ref: ResourceRef;
  readonly namespace: string;
  readonly object: ApiObject;
  /**
   * Brings one that is there up to date, unless its owner has said no, by putting new parts in place of the draft's own,
   * which are not to be changed; false: it is as it should be.
   */
  repair?(draft: ApiObject): boolean;
  /** Fills the status of one that was just made. */
  status?(draft: ApiObject): void;
}

export function wanted(ref: ResourceRef, object: ApiObject, more: Pick<Wanted, 'repair' | 'status'> = {}): Wanted {
  return { ref, namespace: object.metadata?.namespace ?? '', object, ...more };
}

/** Makes the object, or repairs the one that is there. */
export async function ensure(engine: Engine, ctx: RequestContext, one: Wanted): Promise<void> {
  const { ref, namespace, object, repair, status } = one;
  const { registry } = engine;
  const name = object.metadata?.name as string;
  const there = await registry.get(ref, namespace, name);
  if (there) {
    if (!repair?.({ ...there } as ApiObject)) return;
    await registry.update(ctx, ref, namespace, name, onCopy(repair));
    return;
  }
  try {
    await registry.create(ctx, ref, namespace, object);
  } catch (error) {
    // Another server of the same cluster was faster.
    if (isAlreadyExists(error)) return;
    throw error;
  }
  if (status) await registry.update(ctx, ref, namespace, name, onCopy(status), { subresource: 'status' });
}

/** Lets who changes objects in place change a draft's parts as well. */
function onCopy(change: (draft: ApiObject) => boolean | void): (draft: SharedDraft<ApiObject>) => boolean | void {
  return (draft) => {
    const own = copyValue(draft) as ApiObject;
    const changed = change(own);
    if (changed !== false) Object.assign(draft, own);
    return changed;
  };
}
