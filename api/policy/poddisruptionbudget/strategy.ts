import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { PodDisruptionBudget } from '../../types/policy/v1.generated.ts';
import { validatePodDisruptionBudget, validatePodDisruptionBudgetStatus } from './validation.ts';

export const strategy: Strategy<PodDisruptionBudget> = {
  generation: 'count',
  resetFields: ['status'],
  validate: validatePodDisruptionBudget,
  validateUpdate: validatePodDisruptionBudget,
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
};

export const statusStrategy: StatusSubresource<PodDisruptionBudget>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: validatePodDisruptionBudgetStatus,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};
