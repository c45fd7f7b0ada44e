import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Endpoints } from '../../types/core/v1.generated.ts';

export const strategy: Strategy<Endpoints> = {
  allowCreateOnUpdate: true,
};
