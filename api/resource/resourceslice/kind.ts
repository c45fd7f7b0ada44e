import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, UNSET } from '../../meta/columns.ts';
import type { ResourceSlice } from '../../types/resource/v1.generated.ts';
import { strategy } from './strategy.ts';

export const resourceSlice = defineKind<ResourceSlice>({
  group: 'resource.k8s.io',
  kind: 'ResourceSlice',
  resource: 'resourceslices',
  namespaced: false,
  versions: [{ version: 'v1', type: 'resource.v1.ResourceSlice' }],
  strategy,
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
    'spec.driver': ({ spec }) => spec?.driver ?? '',
  },
  columns: [
    nameColumn,
    {
      name: 'Node',
      type: 'string',
      description: documented('resource.v1.ResourceSliceSpec', 'nodeName'),
      value: ({ spec }) => spec?.nodeName || UNSET,
    },
    {
      name: 'Driver',
      type: 'string',
      description: documented('resource.v1.ResourceSliceSpec', 'driver'),
      value: ({ spec }) => spec?.driver ?? '',
    },
    {
      name: 'Pool',
      type: 'string',
      description: documented('resource.v1.ResourcePool', 'name'),
      value: ({ spec }) => spec?.pool?.name ?? '',
    },
    ageColumn,
  ],
});
