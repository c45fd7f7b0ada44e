import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import type { ReplicationController } from '../../types/core/v1.generated.ts';
import { dropDisabledFields } from '../pod/prepare.ts';
import { templateWarnings, workloadWarnings } from '../pod/warnings.ts';
import { defaultReplicationController } from './defaults.ts';
import { validateReplicationController, validateReplicationControllerStatus } from './validation.ts';

export const strategy: Strategy<ReplicationController> = {
  generation: 'count',
  defaultDeletePropagation: 'orphan',
  resetFields: ['status'],
  defaults: defaultReplicationController,
  validate: validateReplicationController,
  warnings: (draft, old) => [
    ...workloadWarnings(draft, old),
    ...templateWarnings(draft, old, draft.spec.template, path('spec', 'template')),
  ],
  validateUpdate: validateReplicationController,
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    dropDisabledFields(draft.spec.template?.spec);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec.template?.spec, old.spec.template?.spec);
  },
};

export const statusStrategy: StatusSubresource<ReplicationController>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: validateReplicationControllerStatus,
  defaults: defaultReplicationController,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};
