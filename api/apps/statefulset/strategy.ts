import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { StatefulSet } from '../../types/apps/v1.generated.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { defaultStatefulSet } from './defaults.ts';

export const strategy: Strategy<StatefulSet> = {
  generation: 'count',
  resetFields: ['status'],
  defaults: defaultStatefulSet,
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    dropDisabledFields(draft.spec.template?.spec);
    dropMaxUnavailable(draft);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec.template?.spec, old.spec.template?.spec);
    if (old.spec.updateStrategy?.rollingUpdate?.maxUnavailable === undefined) dropMaxUnavailable(draft);
  },
};

export const statusStrategy: StatusSubresource<StatefulSet>['strategy'] = {
  resetFields: ['spec'],
  defaults: defaultStatefulSet,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old),
};

/** Behind a gate that is off: how many pods may be missing during a rolling update. */
function dropMaxUnavailable(set: StatefulSet): void {
  delete set.spec.updateStrategy?.rollingUpdate?.maxUnavailable;
}
