import { defineKind } from '../../../libs/kind/kind.ts';
import type { MutatingAdmissionPolicyBinding } from '../../types/admissionregistration/v1.generated.ts';
import { policyBindingColumns } from '../columns.ts';
import { strategy } from './strategy.ts';

export const mutatingAdmissionPolicyBinding = defineKind<MutatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingAdmissionPolicyBinding',
  resource: 'mutatingadmissionpolicybindings',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'admissionregistration.v1.MutatingAdmissionPolicyBinding' }],
  hashedVersion: 'v1beta1',
  strategy,
  columns: policyBindingColumns,
});
