import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { LimitRange } from '../../types/core/v1.generated.ts';

export const strategy: Strategy<LimitRange> = {
  allowCreateOnUpdate: true,
};
