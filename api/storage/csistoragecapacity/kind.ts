import { defineKind } from '../../../libs/kind/kind.ts';
import { nameColumn } from '../../../libs/kind/standard-columns.ts';
import { createdAtColumn } from '../../meta/columns.ts';
import type { CSIStorageCapacity } from '../../types/storage/v1.generated.ts';
import { strategy } from './strategy.ts';

export const csiStorageCapacity = defineKind<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  kind: 'CSIStorageCapacity',
  resource: 'csistoragecapacities',
  namespaced: true,
  versions: [{ version: 'v1', type: 'storage.v1.CSIStorageCapacity' }],
  strategy,
  columns: [nameColumn, createdAtColumn],
});
