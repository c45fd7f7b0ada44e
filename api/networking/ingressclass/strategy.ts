import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { IngressClass } from '../../types/networking/v1.generated.ts';

export const strategy: Strategy<IngressClass> = {
  generation: 'count',
};
