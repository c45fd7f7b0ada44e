import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { templateWarnings, workloadWarnings } from '../../core/pod/warnings.ts';
import type { ReplicaSet } from '../../types/apps/v1.generated.ts';
import { defaultReplicaSet } from './defaults.ts';
import { validateReplicaCounts, validateReplicaSet, validateReplicaSetUpdate } from './validation.ts';

export const strategy: Strategy<ReplicaSet> = {
  generation: 'count',
  resetFields: ['status'],
  keepsTemplate: true,
  defaults: defaultReplicaSet,
  validate: validateReplicaSet,
  warnings: (draft, old) => [
    ...workloadWarnings(draft, old),
    ...templateWarnings(draft, old, draft.spec.template, path('spec', 'template')),
  ],
  validateUpdate: validateReplicaSetUpdate,
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    dropDisabledFields(draft.spec.template?.spec);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec.template?.spec, old.spec.template?.spec);
  },
};

export const statusStrategy: StatusSubresource<ReplicaSet>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: ({ status }) => validateReplicaCounts(status ?? {}, path('status')),
  defaults: defaultReplicaSet,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};
