import type { Strategy } from '../../../libs/kind/strategy.ts';
import { pathSegmentName } from '../../../libs/machinery/names.ts';
import type { Event } from '../../types/core/v1.generated.ts';
import { validateEvent, validateEventUpdate } from './validation.ts';

export const strategy: Strategy<Event> = {
  allowCreateOnUpdate: true,
  plainFinalizers: true,
  // Whatever can stand in a path: events are named after what they are about.
  validateName: pathSegmentName,
  validate: validateEvent,
  validateUpdate: validateEventUpdate,
};
