import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { CSIDriver } from '../../types/storage/v1.generated.ts';

export const strategy: Strategy<CSIDriver> = {
  generation: 'count',
};
