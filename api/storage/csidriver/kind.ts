import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { CSIDriver } from '../../types/storage/v1.generated.ts';
import { strategy } from './strategy.ts';

export const csiDriver = defineKind<CSIDriver>({
  group: 'storage.k8s.io',
  kind: 'CSIDriver',
  resource: 'csidrivers',
  namespaced: false,
  versions: [{ version: 'v1', type: 'storage.v1.CSIDriver' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
