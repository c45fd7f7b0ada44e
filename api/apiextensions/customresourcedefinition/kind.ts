import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import type { CustomResourceDefinition } from '../../types/apiextensions/v1.generated.ts';
import { strategy, statusStrategy } from './strategy.ts';

export const customResourceDefinition = defineKind<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  resource: 'customresourcedefinitions',
  namespaced: false,
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'apiextensions.v1.CustomResourceDefinition' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [nameColumn, ageColumn],
});
