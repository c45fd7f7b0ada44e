import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { HorizontalPodAutoscaler } from '../../types/autoscaling/v2.generated.ts';
import { defaultHorizontalPodAutoscaler } from './defaults.ts';
import { validateHorizontalPodAutoscaler, validateHorizontalPodAutoscalerStatus } from './validation.ts';

export const strategy: Strategy<HorizontalPodAutoscaler> = {
  resetFields: ['status'],
  validate: validateHorizontalPodAutoscaler,
  validateUpdate: validateHorizontalPodAutoscaler,
  defaults: defaultHorizontalPodAutoscaler,
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
};

export const statusStrategy: StatusSubresource<HorizontalPodAutoscaler>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: validateHorizontalPodAutoscalerStatus,
  defaults: defaultHorizontalPodAutoscaler,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};
