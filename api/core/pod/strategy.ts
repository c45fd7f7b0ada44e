import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Pod } from '../../types/core/v1.generated.ts';
import { defaultPod } from './defaults.ts';
import { beginPodDeletion } from './deletion.ts';
import { validatePod } from './validation/pod.ts';
import { alignAppArmor, dropDisabledFields, firstStatus, mergeMatchLabelKeys } from './prepare.ts';

export const strategy: Strategy<Pod> = {
  generation: 'count',
  deleteReturnsObject: true,
  resetFields: ['status'],
  gracefulDelete: { begin: beginPodDeletion },
  defaults: defaultPod,
  prepareForCreate(ctx, draft) {
    dropDisabledFields(draft.spec);
    mergeMatchLabelKeys(draft);
    alignAppArmor(draft);
    draft.status = firstStatus(draft, ctx.nowMs);
  },
  validate: validatePod,
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec, old.spec);
  },
};

export const statusStrategy: StatusSubresource<Pod>['strategy'] = {
  resetFields: ['spec'],
  defaults: defaultPod,
  prepareForUpdate(_ctx, draft, old) {
    const { deletionTimestamp } = old.metadata ?? {};
    keepAllButStatus(draft, old, ['labels', 'annotations']);
    if (draft.metadata && deletionTimestamp) draft.metadata.deletionTimestamp = deletionTimestamp;
    if (draft.status && old.status?.qosClass && !draft.status.qosClass) draft.status.qosClass = old.status.qosClass;
  },
};
