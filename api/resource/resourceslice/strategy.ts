import { formatTime } from '../../../libs/base/clock.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ResourceSlice } from '../../types/resource/v1.generated.ts';
import { validateResourceSlice, validateResourceSliceUpdate } from './validation.ts';

export const strategy: Strategy<ResourceSlice> = {
  generation: 'count',
  prepareForCreate: (ctx, draft) => stampTaints(ctx, draft),
  prepareForUpdate: (ctx, draft, old) => stampTaints(ctx, draft, old),
  validate: validateResourceSlice,
  validateUpdate: validateResourceSliceUpdate,
};

/** A taint tells since when it is there. */
function stampTaints(ctx: RequestContext, draft: ResourceSlice, old?: DeepReadonly<ResourceSlice>): void {
  for (const device of draft.spec?.devices ?? []) {
    const before = old?.spec?.devices?.find(({ name }) => name === device.name)?.taints ?? [];
    for (const taint of device.taints ?? []) {
      const was = before.find(
        ({ key, value, effect }) => key === taint.key && value === taint.value && effect === taint.effect,
      );
      taint.timeAdded ??= was?.timeAdded ?? formatTime(ctx.nowMs);
    }
  }
}
