import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { PodTemplate } from '../../types/core/v1.generated.ts';

export const strategy: Strategy<PodTemplate> = {
  generation: 'count',
  deleteReturnsObject: true,
};
