import { defineKind } from '../../../libs/kind/kind.ts';
import type { ValidatingAdmissionPolicyBinding } from '../../types/admissionregistration/v1.generated.ts';
import { policyBindingColumns } from '../columns.ts';
import { strategy } from './strategy.ts';

export const validatingAdmissionPolicyBinding = defineKind<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingAdmissionPolicyBinding',
  resource: 'validatingadmissionpolicybindings',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'admissionregistration.v1.ValidatingAdmissionPolicyBinding' }],
  strategy,
  columns: policyBindingColumns,
});
