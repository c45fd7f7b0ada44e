import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { ValidatingAdmissionPolicyBinding } from '../../types/admissionregistration/v1.generated.ts';
import { defaultMatchResources } from '../defaults.ts';
import { validateBindingSpec } from '../policies.ts';
import { validateOneOf } from '../rules.ts';

const ACTIONS = ['Audit', 'Deny', 'Warn'];
const DENY_AND_WARN =
  'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';

export const strategy: Strategy<ValidatingAdmissionPolicyBinding> = {
  plainFinalizers: true,
  generation: 'count',
  defaults: ({ spec }) => defaultMatchResources(spec?.matchResources),
  validate: validateBinding,
  validateUpdate: validateBinding,
};

function validateBinding({ spec }: DeepReadonly<ValidatingAdmissionPolicyBinding>): field.ErrorList {
  const at = field.path('spec');
  const errors = validateBindingSpec(spec ?? {}, at);
  const actions = spec?.validationActions ?? [];
  const there = at.child('validationActions');
  if (actions.length === 0) errors.push(field.required(there, 'at least one validation action is required'));
  actions.forEach((action, i) => {
    errors.push(...validateOneOf(action, ACTIONS, there.index(i)));
    if (actions.indexOf(action) < i) errors.push(field.duplicate(there.index(i), action));
  });
  if (actions.includes('Deny') && actions.includes('Warn')) errors.push(field.invalid(there, actions, DENY_AND_WARN));
  return errors;
}
