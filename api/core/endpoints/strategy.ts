import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Endpoints } from '../../types/core/v1.generated.ts';
import { validateEndpoints } from './validation.ts';

export const strategy: Strategy<Endpoints> = {
  allowCreateOnUpdate: true,
  validate: (endpoints) => validateEndpoints(endpoints),
  validateUpdate: validateEndpoints,
  defaults(draft) {
    for (const subset of draft.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
};
