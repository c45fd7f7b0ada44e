import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented } from '../../meta/columns.ts';
import type { VolumeAttributesClass } from '../../types/storage/v1.generated.ts';
import { strategy } from './strategy.ts';

export const volumeAttributesClass = defineKind<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  kind: 'VolumeAttributesClass',
  resource: 'volumeattributesclasses',
  namespaced: false,
  shortNames: ['vac'],
  versions: [{ version: 'v1', type: 'storage.v1.VolumeAttributesClass' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'DriverName',
      type: 'string',
      description: documented('storage.v1.VolumeAttributesClass', 'driverName'),
      value: ({ driverName }) => driverName ?? '',
    },
    ageColumn,
  ],
});
