import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Lease } from '../../types/coordination/v1.generated.ts';

export const strategy: Strategy<Lease> = {
  allowCreateOnUpdate: true,
};
