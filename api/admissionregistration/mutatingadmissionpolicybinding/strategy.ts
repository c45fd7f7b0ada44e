import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { MutatingAdmissionPolicyBinding } from '../../types/admissionregistration/v1.generated.ts';
import { defaultMatchResources } from '../defaults.ts';
import { validateBindingSpec } from '../policies.ts';

export const strategy: Strategy<MutatingAdmissionPolicyBinding> = {
  plainFinalizers: true,
  generation: 'count',
  defaults: ({ spec }) => defaultMatchResources(spec?.matchResources),
  validate: validateBinding,
  validateUpdate: validateBinding,
};

function validateBinding({ spec }: DeepReadonly<MutatingAdmissionPolicyBinding>): field.ErrorList {
  return validateBindingSpec(spec ?? {}, field.path('spec'));
}
