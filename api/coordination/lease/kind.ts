import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { Lease } from '../../types/coordination/v1.generated.ts';
import { strategy } from './strategy.ts';

export const lease = defineKind<Lease>({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  resource: 'leases',
  namespaced: true,
  versions: [{ version: 'v1', type: 'coordination.v1.Lease' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
