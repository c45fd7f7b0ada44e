import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { EndpointSlice } from '../../types/discovery/v1.generated.ts';

export const strategy: Strategy<EndpointSlice> = {
  generation: 'count',
};
