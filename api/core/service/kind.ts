import { defineKind } from '../../../libs/kind/kind.ts';
import type { Service } from '../../types/core/v1.generated.ts';
import { columns } from './columns.ts';
import { proxy } from './proxy.ts';
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
  subresources: { proxy, status: { form: 'status', strategy: statusStrategy } },
  selectableFields: {
    'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '',
    'spec.type': ({ spec }) => spec?.type ?? '',
  },
  columns,
});
