import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ValidatingAdmissionPolicy } from '../../types/admissionregistration/v1.generated.ts';
import { paramKindText } from '../columns.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const validatingAdmissionPolicy = defineKind<ValidatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingAdmissionPolicy',
  resource: 'validatingadmissionpolicies',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'admissionregistration.v1.ValidatingAdmissionPolicy' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn,
    {
      name: 'Validations',
      type: 'integer',
      description: 'How many rules the policy has',
      value: ({ spec }) => spec?.validations?.length ?? 0,
    },
    {
      name: 'ParamKind',
      type: 'string',
      description: 'The kind of the objects that set the policy’s parameters',
      value: ({ spec }) => paramKindText(spec?.paramKind),
    },
    ageColumn,
  ],
});
