import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { templateWarnings } from '../../core/pod/warnings.ts';
import type { StatefulSet } from '../../types/apps/v1.generated.ts';
import { defaultStatefulSet } from './defaults.ts';
import {
  statefulSetName,
  statefulSetWarnings,
  validateStatefulSet,
  validateStatefulSetStatus,
  validateStatefulSetUpdate,
} from './validation.ts';

export const strategy: Strategy<StatefulSet> = {
  generation: 'count',
  resetFields: ['status'],
  defaults: defaultStatefulSet,
  validateName: statefulSetName,
  validate: validateStatefulSet,
  validateUpdate: validateStatefulSetUpdate,
  warnings: (draft, old) => [
    ...templateWarnings(draft, old, draft.spec.template, path('spec', 'template')),
    ...statefulSetWarnings(draft),
  ],
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
  validateUpdate: validateStatefulSetStatus,
  defaults: defaultStatefulSet,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};

/** Behind a gate that is off: how many pods may be missing during a rolling update. */
function dropMaxUnavailable(set: StatefulSet): void {
  delete set.spec.updateStrategy?.rollingUpdate?.maxUnavailable;
}
