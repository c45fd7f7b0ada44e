import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { VolumeAttributesClass } from '../../types/storage/v1.generated.ts';
import { validateParameters, validateProvisioner } from '../parameters.ts';

export const strategy: Strategy<VolumeAttributesClass> = {
  validate: validateClass,
  validateUpdate: (draft, old) => [
    ...validateClass(draft),
    ...(['driverName', 'parameters'] as const)
      .filter((name) => !sameValue(draft[name], old[name]))
      .map((name) => field.forbidden(name, `updates to ${name} are forbidden.`)),
  ],
};

function validateClass({ driverName = '', parameters }: DeepReadonly<VolumeAttributesClass>): field.ErrorList {
  return [
    ...validateProvisioner(driverName, field.path('driverName')),
    ...validateParameters(parameters, false, field.path('parameters')),
  ];
}
