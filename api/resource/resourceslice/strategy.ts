import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ResourceSlice } from '../../types/resource/v1.generated.ts';

export const strategy: Strategy<ResourceSlice> = {
  generation: 'count',
};
