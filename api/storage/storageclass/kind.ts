import { defineKind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, UNSET } from '../../meta/columns.ts';
import type { StorageClass } from '../../types/storage/v1.generated.ts';
import { strategy } from './strategy.ts';

export const storageClass = defineKind<StorageClass>({
  group: 'storage.k8s.io',
  kind: 'StorageClass',
  resource: 'storageclasses',
  namespaced: false,
  shortNames: ['sc'],
  versions: [{ version: 'v1', type: 'storage.v1.StorageClass' }],
  strategy,
  columns: [
    { ...nameColumn, value: nameText },
    {
      name: 'Provisioner',
      type: 'string',
      description: documented('storage.v1.StorageClass', 'provisioner'),
      value: ({ provisioner }) => provisioner ?? '',
    },
    {
      name: 'ReclaimPolicy',
      type: 'string',
      description: documented('storage.v1.StorageClass', 'reclaimPolicy'),
      value: ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    },
    {
      name: 'VolumeBindingMode',
      type: 'string',
      description: documented('storage.v1.StorageClass', 'volumeBindingMode'),
      value: ({ volumeBindingMode }) => volumeBindingMode ?? UNSET,
    },
    {
      name: 'AllowVolumeExpansion',
      type: 'string',
      description: documented('storage.v1.StorageClass', 'allowVolumeExpansion'),
      value: ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
    },
    ageColumn,
  ],
});

function nameText({ metadata }: DeepReadonly<StorageClass>): string {
  const marks = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];
  const name = metadata?.name ?? '';
  return marks.some((mark) => metadata?.annotations?.[mark] === 'true') ? `${name} (default)` : name;
}
