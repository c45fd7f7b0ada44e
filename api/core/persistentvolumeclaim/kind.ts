import { defineKind } from '../../../libs/kind/kind.ts';
import type { PersistentVolumeClaim } from '../../types/core/v1.generated.ts';
import { columns } from './columns.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const persistentVolumeClaim = defineKind<PersistentVolumeClaim>({
  group: '',
  kind: 'PersistentVolumeClaim',
  resource: 'persistentvolumeclaims',
  namespaced: true,
  shortNames: ['pvc'],
  versions: [{ version: 'v1', type: 'core.v1.PersistentVolumeClaim' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns,
});
