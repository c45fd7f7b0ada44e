import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { MutatingAdmissionPolicy, Mutation } from '../../types/admissionregistration/v1.generated.ts';
import { defaultMatchResources } from '../defaults.ts';
import { APPLY_CONFIGURATION, JSON_PATCHES, type Scope } from '../expressions.ts';
import { policyScope, validateExpression, validatePolicySpec } from '../policies.ts';
import { validateOneOf } from '../rules.ts';

const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
/** Each type of patch has its own field, and only that one may be there. */
const PATCH_FIELDS = { ApplyConfiguration: 'applyConfiguration', JSONPatch: 'jsonPatch' } as const;
const WANTED = { ApplyConfiguration: APPLY_CONFIGURATION, JSONPatch: JSON_PATCHES } as const;

export const strategy: Strategy<MutatingAdmissionPolicy> = {
  plainFinalizers: true,
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
  const errors = validatePolicySpec(spec ?? {}, at, true);
  const scope = policyScope(spec ?? {}, true);
  const mutations = spec?.mutations ?? [];
  if (mutations.length === 0) {
    errors.push(field.required(at.child('mutations'), 'mutations must contain at least one item'));
  }
  mutations.forEach((mutation, i) => errors.push(...validateMutation(mutation, at.child('mutations').index(i), scope)));
  if (!spec?.reinvocationPolicy) errors.push(field.required(at.child('reinvocationPolicy')));
  return [
    ...errors,
    ...validateOneOf(spec?.reinvocationPolicy || undefined, REINVOCATION_POLICIES, at.child('reinvocationPolicy')),
  ];
}

function validateMutation(mutation: DeepReadonly<Mutation>, at: field.Path, scope: Scope): field.ErrorList {
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
  else
    errors.push(
      ...validateExpression(patch.expression ?? '', at.child(own, 'expression'), { scope, wanted: WANTED[patchType] }),
    );
  if (mutation[other]) {
    errors.push(field.invalid(at.child(other), `{${other}}`, `must not be specified when patchType is ${patchType}`));
  }
  return errors;
}
