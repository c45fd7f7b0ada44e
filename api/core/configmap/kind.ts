import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ConfigMap } from '../../types/core/v1.generated.ts';
import { strategy } from './strategy.ts';

export const configMap = defineKind<ConfigMap>({
  group: '',
  kind: 'ConfigMap',
  resource: 'configmaps',
  namespaced: true,
  shortNames: ['cm'],
  versions: [{ version: 'v1', type: 'core.v1.ConfigMap' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Data',
      type: 'string',
      description: { type: 'core.v1.ConfigMap', field: 'data' },
      value: (object) => Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
    },
    ageColumn,
  ],
});
