import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { MutatingAdmissionPolicy, Mutation } from '../../types/admissionregistration/v1.generated.ts';
import { defaultMatchResources } from '../defaults.ts';
import { validateExpression, validatePolicySpec } from '../policies.ts';
import { validateOneOf } from '../rules.ts';

const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
/** Each type of patch has its own field, and only that one may be there. */
const PATCH_FIELDS = { ApplyConfiguration: 'applyConfiguration', JSONPatch: 'jsonPatch' } as const;

export const strategy: Strategy<MutatingAdmissionPolicy> = {
  generation: 'count',
  defaults({ spec }) {
    if (!spec) return;
    spec.failurePolicy ??= 'Fail';
    defaultMatchResources(spec.matchConstraints);
  },
  validate: validateMutatingAdmissionPolicy,
  validateUpdate: validateMutatingAdmissionPolicy,
};

function validateMutatingAdmissionPolicy({ spec }: DeepReadonly<MutatingAdmissionPolicy>): field.ErrorList {
  const at = field.path('spec');
  const errors = validatePolicySpec(spec ?? {}, at);
  const mutations = spec?.mutations ?? [];
  if (mutations.length === 0) {
    errors.push(field.required(at.child('mutations'), 'mutations must contain at least one item'));
  }
  mutations.forEach((mutation, i) => errors.push(...validateMutation(mutation, at.child('mutations').index(i))));
  return [...errors, ...validateOneOf(spec?.reinvocationPolicy, REINVOCATION_POLICIES, at.child('reinvocationPolicy'))];
}

function validateMutation(mutation: DeepReadonly<Mutation>, at: field.Path): field.ErrorList {
  const { patchType } = mutation;
  if (!patchType) return [field.required(at.child('patchType'))];
  if (patchType !== 'ApplyConfiguration' && patchType !== 'JSONPatch') {
    return [field.notSupported(at.child('patchType'), patchType, Object.keys(PATCH_FIELDS))];
  }
  const errors: field.ErrorList = [];
  const own = PATCH_FIELDS[patchType];
  const other = own === 'jsonPatch' ? 'applyConfiguration' : 'jsonPatch';
  const patch = mutation[own];
  if (!patch) errors.push(field.required(at.child(own), `must be specified when patchType is ${patchType}`));
  else errors.push(...validateExpression(patch.expression ?? '', at.child(own, 'expression')));
  if (mutation[other]) {
    errors.push(field.invalid(at.child(other), `{${other}}`, `must not be specified when patchType is ${patchType}`));
  }
  return errors;
}
