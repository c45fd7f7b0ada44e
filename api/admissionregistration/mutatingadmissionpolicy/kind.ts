import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { MutatingAdmissionPolicy } from '../../types/admissionregistration/v1.generated.ts';
import { paramKindText } from '../columns.ts';
import { strategy } from './strategy.ts';

export const mutatingAdmissionPolicy = defineKind<MutatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingAdmissionPolicy',
  resource: 'mutatingadmissionpolicies',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'admissionregistration.v1.MutatingAdmissionPolicy' }],
  hashedVersion: 'v1beta1',
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Mutations',
      type: 'integer',
      description: 'How many rules the policy has',
      value: ({ spec }) => spec?.mutations?.length ?? 0,
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
