import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ReplicationController } from '../../types/core/v1.generated.ts';
import { dropDisabledFields } from '../pod/prepare.ts';
import { defaultReplicationController } from './defaults.ts';

export const strategy: Strategy<ReplicationController> = {
  generation: 'count',
  defaultDeletePropagation: 'orphan',
  resetFields: ['status'],
  defaults: defaultReplicationController,
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
  defaults: defaultReplicationController,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old),
};
