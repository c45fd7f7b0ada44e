import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ResourceQuota } from '../../types/core/v1.generated.ts';
import { roundResourceList } from '../pod/resources.ts';

export const strategy: Strategy<ResourceQuota> = {
  resetFields: ['status'],
  defaults: roundQuantities,
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
};

export const statusStrategy: StatusSubresource<ResourceQuota>['strategy'] = {
  resetFields: ['spec'],
  defaults: roundQuantities,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old),
};

function roundQuantities({ spec, status }: ResourceQuota): void {
  for (const list of [spec?.hard, status?.hard, status?.used]) roundResourceList(list);
}
