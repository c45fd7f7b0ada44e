import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented } from '../../meta/columns.ts';
import type { Lease } from '../../types/coordination/v1.generated.ts';
import { strategy } from './strategy.ts';

export const lease = defineKind<Lease>({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  resource: 'leases',
  namespaced: true,
  versions: [{ version: 'v1', type: 'coordination.v1.Lease' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Holder',
      type: 'string',
      description: documented('coordination.v1.LeaseSpec', 'holderIdentity'),
      value: ({ spec }) => spec?.holderIdentity ?? '',
    },
    ageColumn,
  ],
});
