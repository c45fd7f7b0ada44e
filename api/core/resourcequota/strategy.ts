import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ResourceQuota } from '../../types/core/v1.generated.ts';
import { roundResourceList } from '../pod/resources.ts';
import { validateResourceQuota, validateResourceQuotaStatus, validateResourceQuotaUpdate } from './validation.ts';

export const strategy: Strategy<ResourceQuota> = {
  resetFields: ['status'],
  defaults: roundQuantities,
  validate: validateResourceQuota,
  validateUpdate: validateResourceQuotaUpdate,
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
};

export const statusStrategy: StatusSubresource<ResourceQuota>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: validateResourceQuotaStatus,
  defaults: roundQuantities,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};

function roundQuantities({ spec, status }: ResourceQuota): void {
  for (const list of [spec?.hard, status?.hard, status?.used]) roundResourceList(list);
}
