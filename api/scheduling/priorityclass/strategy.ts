import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { PriorityClass } from '../../types/scheduling/v1.generated.ts';

export const strategy: Strategy<PriorityClass> = {
  generation: 'count',
};
