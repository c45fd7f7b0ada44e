import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Event } from '../../types/core/v1.generated.ts';

export const strategy: Strategy<Event> = {
  allowCreateOnUpdate: true,
};
