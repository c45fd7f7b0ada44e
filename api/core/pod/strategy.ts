import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { keepAllButStatus, keepMetadata, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { Pod } from '../../types/core/v1.generated.ts';
import { defaultPod } from './defaults.ts';
import { beginPodDeletion } from './deletion.ts';
import { alignAppArmor, dropDisabledFields, firstStatus, mergeMatchLabelKeys } from './prepare.ts';
import { validatePod } from './validation/pod.ts';
import { validatePodStatus } from './validation/status.ts';
import { validatePodUpdate } from './validation/update.ts';
import { podWarnings } from './warnings.ts';

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
  validateUpdate: validatePodUpdate,
  warnings: podWarnings,
  // Where a pod runs is said once, by its binding, and is no change of what it is.
  generationChanged: (draft, old) => !sameValue({ ...draft.spec, nodeName: '' }, { ...old.spec, nodeName: '' }),
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec, old.spec);
  },
};

export const statusStrategy: StatusSubresource<Pod>['strategy'] = {
  resetFields: ['spec'],
  defaults: defaultPod,
  prepareForUpdate(_ctx, draft, old) {
    keepAllButStatus(draft, old, ['labels', 'annotations']);
    // Old kubelets send owners back without what they do not know of them, which garbage collection then misses.
    keepMetadata(draft, old, ['ownerReferences']);
    draft.status ??= {};
    if (old.status?.qosClass && !draft.status.qosClass) draft.status.qosClass = old.status.qosClass;
  },
  validateUpdate: validatePodStatus,
};
