import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, NONE, UNSET } from '../../meta/columns.ts';
import type { CSIDriver } from '../../types/storage/v1.generated.ts';
import { strategy } from './strategy.ts';

export const csiDriver = defineKind<CSIDriver>({
  group: 'storage.k8s.io',
  kind: 'CSIDriver',
  resource: 'csidrivers',
  namespaced: false,
  versions: [{ version: 'v1', type: 'storage.v1.CSIDriver' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'AttachRequired',
      type: 'boolean',
      description: documented('storage.v1.CSIDriverSpec', 'attachRequired'),
      value: ({ spec }) => spec?.attachRequired ?? true,
    },
    {
      name: 'PodInfoOnMount',
      type: 'boolean',
      description: documented('storage.v1.CSIDriverSpec', 'podInfoOnMount'),
      value: ({ spec }) => spec?.podInfoOnMount ?? false,
    },
    {
      name: 'StorageCapacity',
      type: 'boolean',
      description: documented('storage.v1.CSIDriverSpec', 'storageCapacity'),
      value: ({ spec }) => spec?.storageCapacity ?? false,
    },
    {
      name: 'TokenRequests',
      type: 'string',
      description: documented('storage.v1.CSIDriverSpec', 'tokenRequests'),
      value: ({ spec }) => (spec?.tokenRequests ?? []).map(({ audience }) => audience).join(',') || UNSET,
    },
    {
      name: 'RequiresRepublish',
      type: 'boolean',
      description: documented('storage.v1.CSIDriverSpec', 'requiresRepublish'),
      value: ({ spec }) => spec?.requiresRepublish ?? false,
    },
    {
      name: 'Modes',
      type: 'string',
      description: documented('storage.v1.CSIDriverSpec', 'volumeLifecycleModes'),
      value: ({ spec }) => (spec?.volumeLifecycleModes ?? []).join(',') || NONE,
    },
    ageColumn,
  ],
});
