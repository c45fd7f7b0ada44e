import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { RuntimeClass } from '../../types/node/v1.generated.ts';

export const strategy: Strategy<RuntimeClass> = {
  allowCreateOnUpdate: true,
};
