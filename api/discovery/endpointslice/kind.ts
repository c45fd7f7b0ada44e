import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { EndpointSlice } from '../../types/discovery/v1.generated.ts';
import { strategy } from './strategy.ts';

export const endpointSlice = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  resource: 'endpointslices',
  namespaced: true,
  versions: [{ version: 'v1', type: 'discovery.v1.EndpointSlice' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
