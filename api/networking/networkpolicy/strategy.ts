import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { NetworkPolicy } from '../../types/networking/v1.generated.ts';

export const strategy: Strategy<NetworkPolicy> = {
  generation: 'count',
};
