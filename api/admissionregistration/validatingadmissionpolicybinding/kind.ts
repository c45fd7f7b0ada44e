import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ValidatingAdmissionPolicyBinding } from '../../types/admissionregistration/v1.generated.ts';
import { paramRefText } from '../columns.ts';
import { strategy } from './strategy.ts';

export const validatingAdmissionPolicyBinding = defineKind<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingAdmissionPolicyBinding',
  resource: 'validatingadmissionpolicybindings',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'admissionregistration.v1.ValidatingAdmissionPolicyBinding' }],
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
