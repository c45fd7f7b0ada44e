import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ServiceAccount } from '../../types/core/v1.generated.ts';

export const strategy: Strategy<ServiceAccount> = {
  deleteReturnsObject: true,
};
