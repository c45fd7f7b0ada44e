import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ServiceAccount } from '../../types/core/v1.generated.ts';
import { strategy } from './strategy.ts';

export const serviceAccount = defineKind<ServiceAccount>({
  group: '',
  kind: 'ServiceAccount',
  resource: 'serviceaccounts',
  namespaced: true,
  shortNames: ['sa'],
  versions: [{ version: 'v1', type: 'core.v1.ServiceAccount' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
