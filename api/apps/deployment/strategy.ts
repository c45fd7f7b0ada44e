import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Deployment } from '../../types/apps/v1.generated.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { defaultDeployment } from './defaults.ts';

export const strategy: Strategy<Deployment> = {
  generation: 'count',
  resetFields: ['status'],
  defaults: defaultDeployment,
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    dropDisabledFields(draft.spec.template?.spec);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec.template?.spec, old.spec.template?.spec);
  },
};

export const statusStrategy: StatusSubresource<Deployment>['strategy'] = {
  resetFields: ['spec'],
  defaults: defaultDeployment,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old),
};
