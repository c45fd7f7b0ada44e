import { defineKind } from '../../../libs/kind/kind.ts';
import type { PersistentVolume } from '../../types/core/v1.generated.ts';
import { columns } from './columns.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const persistentVolume = defineKind<PersistentVolume>({
  group: '',
  kind: 'PersistentVolume',
  resource: 'persistentvolumes',
  namespaced: false,
  shortNames: ['pv'],
  versions: [{ version: 'v1', type: 'core.v1.PersistentVolume' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns,
});
