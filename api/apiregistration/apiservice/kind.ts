import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { APIService } from '../../types/apiregistration/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const apiService = defineKind<APIService>({
  group: 'apiregistration.k8s.io',
  kind: 'APIService',
  resource: 'apiservices',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'apiregistration.v1.APIService' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [nameColumn, ageColumn],
});
