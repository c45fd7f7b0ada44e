import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ReplicaSet } from '../../types/apps/v1.generated.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { defaultReplicaSet } from './defaults.ts';

export const strategy: Strategy<ReplicaSet> = {
  generation: 'count',
  resetFields: ['status'],
  defaults: defaultReplicaSet,
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
  defaults: defaultReplicaSet,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old),
};
