import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { DeviceClass } from '../../types/resource/v1.generated.ts';

export const strategy: Strategy<DeviceClass> = {
  generation: 'count',
};
