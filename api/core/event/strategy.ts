import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Event } from '../../types/core/v1.generated.ts';
import { validateEvent, validateEventUpdate } from './validation.ts';

export const strategy: Strategy<Event> = {
  allowCreateOnUpdate: true,
  // Whatever its source calls it: events are named after what they are about.
  validateName: () => [],
  validate: validateEvent,
  validateUpdate: validateEventUpdate,
};
