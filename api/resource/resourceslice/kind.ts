import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ResourceSlice } from '../../types/resource/v1.generated.ts';
import { strategy } from './strategy.ts';

export const resourceSlice = defineKind<ResourceSlice>({
  group: 'resource.k8s.io',
  kind: 'ResourceSlice',
  resource: 'resourceslices',
  namespaced: false,
  versions: [{ version: 'v1', type: 'resource.v1.ResourceSlice' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
