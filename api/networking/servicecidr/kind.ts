import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented } from '../../meta/columns.ts';
import type { ServiceCIDR } from '../../types/networking/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const serviceCIDR = defineKind<ServiceCIDR>({
  group: 'networking.k8s.io',
  kind: 'ServiceCIDR',
  resource: 'servicecidrs',
  namespaced: false,
  versions: [{ version: 'v1', type: 'networking.v1.ServiceCIDR' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn,
    {
      name: 'CIDRs',
      type: 'string',
      description: documented('networking.v1.ServiceCIDRSpec', 'cidrs'),
      value: ({ spec }) => (spec?.cidrs ?? []).join(','),
    },
    ageColumn,
  ],
});
