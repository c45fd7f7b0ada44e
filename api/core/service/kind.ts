import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { Service } from '../../types/core/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const service = defineKind<Service>({
  group: '',
  kind: 'Service',
  resource: 'services',
  namespaced: true,
  shortNames: ['svc'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'core.v1.Service' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [nameColumn, ageColumn],
});
