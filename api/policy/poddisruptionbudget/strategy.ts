import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { PodDisruptionBudget } from '../../types/policy/v1.generated.ts';

export const strategy: Strategy<PodDisruptionBudget> = {
  generation: 'count',
  resetFields: ['status'],
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
};

export const statusStrategy: StatusSubresource<PodDisruptionBudget>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old),
};
