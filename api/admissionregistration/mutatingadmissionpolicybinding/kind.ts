import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { MutatingAdmissionPolicyBinding } from '../../types/admissionregistration/v1.generated.ts';
import { paramRefText } from '../columns.ts';
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
  columns: [
    nameColumn,
    {
      name: 'PolicyName',
      type: 'string',
      description: 'The policy that is put into force',
      value: ({ spec }) => spec?.policyName ?? '',
    },
    {
      name: 'ParamRef',
      type: 'string',
      description: 'The objects that set the policy’s parameters here',
      value: ({ spec }) => paramRefText(spec?.paramRef),
    },
    ageColumn,
  ],
});
