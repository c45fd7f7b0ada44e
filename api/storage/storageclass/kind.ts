import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
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
  columns: [nameColumn, ageColumn],
});
