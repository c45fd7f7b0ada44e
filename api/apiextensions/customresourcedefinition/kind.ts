import { defineKind } from '../../../libs/kind/kind.ts';
import { nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { CustomResourceDefinition } from '../../types/apiextensions/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const customResourceDefinition = defineKind<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  resource: 'customresourcedefinitions',
  namespaced: false,
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'apiextensions.v1.CustomResourceDefinition' }],
  hashedVersion: 'v1beta1',
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn,
    {
      name: 'Created At',
      type: 'date',
      description: { type: 'meta.v1.ObjectMeta', field: 'creationTimestamp' },
      value: ({ metadata }) => metadata?.creationTimestamp ?? null,
    },
  ],
});
